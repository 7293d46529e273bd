package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// load creates tasks and sends requests to the ledger application, and keeps
// what it was told about them. Its methods may be called concurrently, and
// while no server runs.
type load struct {
	env        *testenv.Env
	roots      *x509.CertPool
	lastMarker atomic.Int64 // number of the last marker

	mu        sync.Mutex        // guards the fields below
	records   map[string]string // marker → record that the answer named
	refusals  map[string]int    // by code
	protocols map[string]int    // answers by protocol
	broken    int               // requests without a whole answer
	created   map[string]bool   // tasks whose creation was confirmed
	ended     map[string]bool   // tasks whose end was confirmed
}

func newLoad(env *testenv.Env) *load {
	return &load{
		env: env, roots: env.Roots(),
		records: map[string]string{}, refusals: map[string]int{}, protocols: map[string]int{},
		created: map[string]bool{}, ended: map[string]bool{},
	}
}

// loadAgent sends requests within one task over its own connections.
type loadAgent struct {
	*load
	task   string
	client *http.Client
}

// newAgent returns an agent of a task. Every second one speaks HTTP/2.
func (l *load) newAgent(task, token string) *loadAgent {
	l.mu.Lock()
	useHTTP2 := len(l.created)%2 == 0
	l.mu.Unlock()

	proxy := &url.URL{Scheme: "http", Host: l.env.Listen, User: url.UserPassword(task, token)}
	transport := &http.Transport{
		Proxy:               http.ProxyURL(proxy),
		TLSClientConfig:     &tls.Config{RootCAs: l.roots},
		MaxIdleConnsPerHost: 8,
		ForceAttemptHTTP2:   useHTTP2,
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &loadAgent{l, task, client}
}

// sendRandom sends a request with a new marker: a GET, a GET with a slow
// answer, or a POST. It returns the status, or 0 without a whole answer.
func (a *loadAgent) sendRandom(rng *rand.Rand) (status int) {
	marker := fmt.Sprintf("%s-%d", a.task, a.lastMarker.Add(1))
	method, body := http.MethodGet, io.Reader(http.NoBody)
	switch rng.IntN(4) {
	case 0:
		marker += "s" // see isSlowMarker
	case 1:
		method = http.MethodPost
		body = strings.NewReader(strings.Repeat("y", rng.IntN(100_000)))
	}
	req, err := http.NewRequest(method, "https://"+ledgerHost+itemPath+marker, body)
	if err != nil {
		panic(err)
	}

	resp, err := a.client.Do(req)
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.broken++
		return 0
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return a.keepResult(marker, resp, text, err)
}

// keepResult keeps what the answer to a marker says and returns what sendRandom
// returns. err is the error of reading the body.
func (a *loadAgent) keepResult(marker string, resp *http.Response, text []byte, err error) (status int) {
	a.mu.Lock()
	defer a.mu.Unlock()

	record := resp.Header.Get("Byline-Record")
	if resp.StatusCode == http.StatusOK && record != "" {
		a.records[marker] = record
	}
	a.protocols[resp.Proto]++
	switch {
	case err != nil:
		a.broken++
		return 0
	case resp.StatusCode != http.StatusOK:
		a.refusals[refusalCode(text)]++
	case !strings.HasSuffix(string(text), marker):
		panic("the answer to " + marker + " does not end with it: " + string(text))
	}
	return resp.StatusCode
}

// refusalCode returns the code in a problem document, or else the text itself.
func refusalCode(text []byte) string {
	var problem struct{ Code string }
	if json.Unmarshal(text, &problem) != nil || problem.Code == "" {
		return string(text)
	}
	return problem.Code
}

// refusalCount returns the number of refusals with that code.
func (l *load) refusalCount(code string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals[code]
}

// sendUntilDone sends requests until ctx is done.
func (a *loadAgent) sendUntilDone(ctx context.Context, rng *rand.Rand) {
	defer a.client.CloseIdleConnections()
	for ctx.Err() == nil {
		a.sendRandom(rng)
		select {
		case <-time.After(time.Duration(rng.IntN(3000)) * time.Microsecond):
		case <-ctx.Done():
		}
	}
}

// callControlAPI calls the control API over its Unix socket.
func (l *load) callControlAPI(method, path string, body any) (status int, text []byte, err error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(l.env.Dir, "data", "control.sock"))
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}

	text, err = json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, "http://byline"+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")

	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// createTask creates a task and returns its agent, or nil if no server
// confirmed it.
func (l *load) createTask() *loadAgent {
	type scopeEntry struct {
		Adapter string   `json:"adapter"`
		Actions []string `json:"actions"`
	}
	status, text, err := l.callControlAPI(http.MethodPost, "/v1/tasks", map[string]any{
		"agent": "spiffe://acme.test/agent/clerk", "sponsor": "alice@acme.test", "purpose": "INC-9", "ttl": "1h",
		"scope": []scopeEntry{{"ledger", []string{"item.*"}}},
	})
	var task struct{ ID, Token string }
	if err != nil || status != http.StatusCreated || json.Unmarshal(text, &task) != nil {
		return nil
	}

	l.mu.Lock()
	l.created[task.ID] = true
	l.mu.Unlock()
	return l.newAgent(task.ID, task.Token)
}

// endTask ends a task and reports whether the server confirmed it.
func (l *load) endTask(task string) bool {
	status, _, err := l.callControlAPI(http.MethodDelete, "/v1/tasks/"+task, nil)
	if err != nil || status != http.StatusOK {
		return false
	}
	l.mu.Lock()
	l.ended[task] = true
	l.mu.Unlock()
	return true
}

// runShortTasks creates, uses and ends one task after the other until ctx is
// done. unended holds the tasks whose end no server has confirmed; it is
// retried, also by the next call.
func (l *load) runShortTasks(ctx context.Context, rng *rand.Rand, unended *[]string) {
	for ctx.Err() == nil {
		for len(*unended) > 0 && l.endTask((*unended)[0]) {
			*unended = (*unended)[1:]
		}

		if a := l.createTask(); a != nil {
			*unended = append(*unended, a.task)
			for range 1 + rng.IntN(4) {
				a.sendRandom(rng)
			}
			a.client.CloseIdleConnections()
		}

		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// taskStates returns the states of all tasks as the server lists them.
func (l *load) taskStates(t *testing.T) map[string]string {
	t.Helper()
	status, text, err := l.callControlAPI(http.MethodGet, "/v1/tasks", nil)
	var tasks []struct{ ID, State string }
	if err != nil || status != http.StatusOK || json.Unmarshal(text, &tasks) != nil {
		t.Fatalf("GET /v1/tasks: status %d, body %s, error %v", status, text, err)
	}
	states := map[string]string{}
	for _, task := range tasks {
		states[task.ID] = task.State
	}
	return states
}
