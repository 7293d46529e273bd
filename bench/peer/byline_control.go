package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// controlClient returns a client for the control API on its Unix socket.
func (in *installation) controlClient() *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", in.socket)
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial}}
}

// createTasks creates the tasks that the agents use, and keeps their tokens in p.
func (in *installation) createTasks(ctx context.Context, p *Peer) error {
	p.control = in.controlClient()
	for i := range in.testbed.Tasks {
		token, err := createTask(ctx, p.control, fmt.Sprintf("spiffe://byline.test/agent/%d", i+1))
		if err != nil {
			return fmt.Errorf("task %d: %w", i+1, err)
		}
		p.authorizations = append(p.authorizations, "Bearer "+token)
	}
	return nil
}

// createTask creates a task for an agent and returns its token.
func createTask(ctx context.Context, control *http.Client, agent string) (token string, err error) {
	spec, err := json.Marshal(map[string]any{
		"agent":   agent,
		"sponsor": "alice@byline.test",
		"purpose": "bench",
		"ttl":     "12h",
		"scope": []map[string]any{
			{"adapter": "bench", "actions": []string{"page.read", "file.*"}},
			{"adapter": "bench2", "actions": []string{"page.read"}},
		},
	})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://byline/v1/tasks", bytes.NewReader(spec))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := control.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()

	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("status %d, %v: %s", resp.StatusCode, err, body)
	}
	var task struct{ Token string }
	if err := json.Unmarshal(body, &task); err != nil {
		return "", fmt.Errorf("%w: %s", err, body)
	}
	return task.Token, nil
}

// RecordStats counts what Byline has recorded so far. The zero value is that of a
// proxy that records nothing.
type RecordStats struct {
	Records float64
	Groups  float64 // group commits, each with one sync
	Sync    float64 // seconds in fdatasync
}

// Minus returns what was added since the earlier counts.
func (s RecordStats) Minus(earlier RecordStats) RecordStats {
	return RecordStats{
		Records: s.Records - earlier.Records,
		Groups:  s.Groups - earlier.Groups,
		Sync:    s.Sync - earlier.Sync,
	}
}

// RecordStats reads the counts from Byline's metrics. For other peers it returns
// zeros. The request costs the proxy CPU time, so it must be made outside of a
// measurement.
func (p *Peer) RecordStats() (RecordStats, error) {
	var stats RecordStats
	if p.control == nil {
		return stats, nil
	}
	resp, err := p.control.Get("http://byline/metrics")
	if err != nil {
		return stats, fmt.Errorf("metrics: %w", err)
	}
	defer resp.Body.Close()

	values := map[string]*float64{
		"byline_audit_records_total":      &stats.Records,
		"byline_audit_groups_total":       &stats.Groups,
		"byline_audit_sync_seconds_total": &stats.Sync,
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, ok := values[name]
		if !ok {
			continue
		}
		*value, err = strconv.ParseFloat(text, 64)
		if err != nil {
			return stats, fmt.Errorf("metrics: %w", err)
		}
	}
	return stats, lines.Err()
}
