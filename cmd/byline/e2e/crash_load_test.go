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
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// load sends requests with a marker each through the proxy, and remembers what
// it was told about them. All of it may be called concurrently.
type load struct {
	house *testenv.Env
	roots *x509.CertPool
	next  atomic.Int64 // number of the last marker

	mu        sync.Mutex
	records   map[string]string // marker → the record that the answer named
	refused   map[string]int    // code → how often
	protocols map[string]int    // of answers
	broken    int               // requests without an answer
	ended     map[string]bool   // tasks that the operator was told are over
	made      map[string]bool   // tasks that the operator was told are there
}

func newLoad(t *testing.T, h *testenv.Env) *load {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(h.Dir, "data", "certs", "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	l := &load{house: h, roots: x509.NewCertPool(), records: map[string]string{}, refused: map[string]int{}, protocols: map[string]int{}, ended: map[string]bool{}, made: map[string]bool{}}
	if !l.roots.AppendCertsFromPEM(pem) {
		t.Fatal("root.crt holds no certificate")
	}
	return l
}

// agent works in a task over connections of its own.
type agent struct {
	*load
	task   string
	client *http.Client
}

func (l *load) agent(task, token string) *agent {
	proxy := &url.URL{Scheme: "http", Host: l.house.Listen, User: url.UserPassword(task, token)}
	l.mu.Lock()
	two := len(l.made)%2 == 0 // every other one speaks HTTP/2
	l.mu.Unlock()
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: l.roots}, MaxIdleConnsPerHost: 8, ForceAttemptHTTP2: two}
	return &agent{l, task, &http.Client{Transport: tr, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// send sends one request of a random kind and returns its status, 0 without a
// whole answer.
func (a *agent) send(r *rand.Rand) int {
	marker := fmt.Sprintf("%s-%d", a.task, a.next.Add(1))
	method, body := http.MethodGet, io.Reader(http.NoBody)
	switch r.IntN(4) {
	case 0:
		marker += "s"
	case 1:
		method, body = http.MethodPost, strings.NewReader(strings.Repeat("y", r.IntN(100_000)))
	}
	req, err := http.NewRequest(method, "https://"+ledgerHost+item+marker, body)
	if err != nil {
		panic(err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		a.lost()
		return 0
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	record := resp.Header.Get("Byline-Record")
	a.mu.Lock()
	defer a.mu.Unlock()
	if resp.StatusCode == http.StatusOK && record != "" {
		a.records[marker] = record
	}
	a.protocols[resp.Proto]++
	switch {
	case err != nil:
		a.broken++
		return 0
	case resp.StatusCode != http.StatusOK:
		a.refused[codeOf(text)]++
	case !strings.HasSuffix(string(text), marker):
		panic("the answer to " + marker + " is another's: " + string(text))
	}
	return resp.StatusCode
}

func (a *agent) lost() {
	a.mu.Lock()
	a.broken++
	a.mu.Unlock()
}

// codeOf is the code of a refusal, or the text itself.
func codeOf(text []byte) string {
	var p struct{ Code string }
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return string(text)
	}
	return p.Code
}

// work sends requests until ctx is done.
func (a *agent) work(ctx context.Context, r *rand.Rand) {
	defer a.client.CloseIdleConnections()
	for ctx.Err() == nil {
		a.send(r)
		select {
		case <-time.After(time.Duration(r.IntN(3000)) * time.Microsecond):
		case <-ctx.Done():
		}
	}
}

// operator asks the control API over the Unix socket.
func (l *load) operator(method, path string, body any) (int, []byte, error) {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(l.house.Dir, "data", "control.sock"))
		}}}
	text, err := json.Marshal(body)
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

type scopeEntry struct {
	Adapter string   `json:"adapter"`
	Actions []string `json:"actions"`
}

// create makes a task, or returns nil while there is no server to ask.
func (l *load) create() *agent {
	status, text, err := l.operator(http.MethodPost, "/v1/tasks", map[string]any{"agent": "spiffe://acme.test/agent/clerk", "sponsor": "alice@acme.test",
		"purpose": "INC-9", "ttl": "1h", "scope": []scopeEntry{{"ledger", []string{"item.*"}}}})
	var made struct{ ID, Token string }
	if err != nil || status != http.StatusCreated || json.Unmarshal(text, &made) != nil {
		return nil
	}
	l.mu.Lock()
	l.made[made.ID] = true
	l.mu.Unlock()
	return l.agent(made.ID, made.Token)
}

// end ends a task and tells whether the operator was told so.
func (l *load) end(task string) bool {
	status, _, err := l.operator(http.MethodDelete, "/v1/tasks/"+task, nil)
	if err != nil || status != http.StatusOK {
		return false
	}
	l.mu.Lock()
	l.ended[task] = true
	l.mu.Unlock()
	return true
}

// churn makes a short task after the other until ctx is done. What a killed
// server left of one is ended by the next.
func (l *load) churn(ctx context.Context, r *rand.Rand, left *[]string) {
	for ctx.Err() == nil {
		for len(*left) > 0 && l.end((*left)[0]) {
			*left = (*left)[1:]
		}
		if a := l.create(); a != nil {
			*left = append(*left, a.task)
			for range 1 + r.IntN(4) {
				a.send(r)
			}
			a.client.CloseIdleConnections()
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// states are the tasks as the server lists them.
func (l *load) states(t *testing.T) map[string]string {
	t.Helper()
	status, text, err := l.operator(http.MethodGet, "/v1/tasks", nil)
	var all []struct{ ID, State string }
	if err != nil || status != http.StatusOK || json.Unmarshal(text, &all) != nil {
		t.Fatalf("GET /v1/tasks: %d %s %v", status, text, err)
	}
	states := map[string]string{}
	for _, one := range all {
		states[one.ID] = one.State
	}
	return states
}
