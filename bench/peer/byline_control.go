package peer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// roots is what agents must trust.
func (h *house) roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(filepath.Join(h.dir, "data", "certs", "root.crt"))
	if err != nil {
		return nil, err
	}
	return pool(string(pem))
}

// asker asks the control API over its Unix socket.
func (h *house) asker() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", h.socket)
		}}}
}

// welcome makes the tasks.
func (h *house) welcome(ctx context.Context, p *Peer) error {
	c := h.asker()
	p.control = c
	for i := range h.site.Tasks {
		spec, err := json.Marshal(map[string]any{"agent": fmt.Sprintf("spiffe://byline.test/agent/%d", i+1), "sponsor": "alice@byline.test",
			"purpose": "bench", "ttl": "12h", "scope": []map[string]any{
				{"adapter": "bench", "actions": []string{"page.read", "file.*"}}, {"adapter": "bench2", "actions": []string{"page.read"}}}})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://byline/v1/tasks", bytes.NewReader(spec))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			return fmt.Errorf("task %d: %w", i+1, err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var made struct{ ID, Token string }
		if err != nil || resp.StatusCode != http.StatusCreated || json.Unmarshal(text, &made) != nil {
			return fmt.Errorf("task %d: status %d, %v: %s", i+1, resp.StatusCode, err, text)
		}
		p.authorizations = append(p.authorizations, "Bearer "+made.Token)
	}
	return nil
}

// Audit is what the record has cost so far.
type Audit struct {
	Records, Groups float64
	Sync            float64 // seconds in fsync
}

// Minus is what was added since.
func (a Audit) Minus(was Audit) Audit {
	return Audit{a.Records - was.Records, a.Groups - was.Groups, a.Sync - was.Sync}
}

// Audit asks Byline's metrics; other peers have no record, and get zeros.
func (p *Peer) Audit() (a Audit, err error) {
	if p.control == nil {
		return a, nil
	}
	resp, err := p.control.Get("http://byline/metrics")
	if err != nil {
		return a, fmt.Errorf("metrics: %w", err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		to, ok := map[string]*float64{"byline_audit_records_total": &a.Records, "byline_audit_groups_total": &a.Groups,
			"byline_audit_sync_seconds_total": &a.Sync}[name]
		if ok {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return a, fmt.Errorf("metrics: %w", err)
			}
		}
	}
	return a, lines.Err()
}
