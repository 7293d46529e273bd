package testenv

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// Agent is a program that works through the proxy inside one task. It may be
// used by many goroutines. All that it is answered is kept and searched for
// secrets when the test ends.
type Agent struct {
	Base    string         // put before a path: https://wiki.acme.test
	Cookies []*http.Cookie // what a person lent; sent with every request
	Header  http.Header    // sent with every request

	t    testing.TB
	http *http.Client
	seen *seen
}

// Agent makes an agent of the task for one application. cookies are those a
// person lent it; no application may ever see one of them.
func (h *Env) Agent(t *Task, a *apps.App, cookies []*http.Cookie) *Agent {
	h.t.Helper()
	for _, c := range cookies {
		h.marks.borrow(c)
	}
	g := newAgent(h.t, &url.URL{Scheme: "http", Host: h.Listen, User: url.UserPassword(t.ID, t.Token)}, h.Roots(), &h.seen)
	g.Base, g.Cookies = a.Public, cookies
	h.t.Cleanup(g.http.CloseIdleConnections)
	return g
}

// Roots are the authorities that an agent of the house trusts.
func (h *Env) Roots() *x509.CertPool {
	h.t.Helper()
	pem, err := os.ReadFile(filepath.Join(h.Dir, "data", "certs", "root.crt"))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		h.t.Fatalf("no interception root: %v", err)
	}
	return roots
}

func newAgent(t testing.TB, proxy *url.URL, roots *x509.CertPool, s *seen) *Agent {
	transport := &http.Transport{
		Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableCompression: true, MaxIdleConnsPerHost: 64, ExpectContinueTimeout: patience,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, a *http.Response) error {
			s.head(a)
			if a.StatusCode == http.StatusOK {
				return nil
			}
			a.Body = &kept{a.Body, s, 0}
			refused := &refusedTunnel{read(a, s)}
			return refused
		},
	}
	return &Agent{t: t, seen: s, Header: http.Header{"User-Agent": {"triage/1.0"}}, http: &http.Client{Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Answer is what an agent got.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Code   string // of a refusal
	Record string // Byline-Record
	Err    error  // of a request or a body that broke off
}

// Get reads a path.
func (g *Agent) Get(path string) Answer { return g.Do("GET", path, nil) }

// Post sends a form.
func (g *Agent) Post(path string, form url.Values) Answer { return g.Do("POST", path, form) }

// Do sends one request and reads its answer to the end.
func (g *Agent) Do(method, path string, form url.Values) Answer {
	return g.answer(g.Open(context.Background(), method, path, form))
}

// H2 is the same agent, but one that speaks HTTP/2.
func (g *Agent) H2() *Agent {
	own := *g
	transport := g.http.Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	own.http = &http.Client{Transport: transport, Timeout: g.http.Timeout, CheckRedirect: g.http.CheckRedirect}
	g.t.Cleanup(transport.CloseIdleConnections)
	return &own
}

// Unkept is the same agent, but one whose answers are not kept and may take as
// long as they do: for bodies of gigabytes.
func (g *Agent) Unkept() *Agent {
	own, client := *g, *g.http
	client.Timeout = 0
	own.http, own.seen = &client, nil
	return &own
}

// Transport carries the agent's requests through the proxy, for libraries that
// bring their own.
func (g *Agent) Transport() *http.Transport { return g.http.Transport.(*http.Transport) }

// refusedTunnel is the answer to a CONNECT that was refused.
type refusedTunnel struct{ answer Answer }

func (r *refusedTunnel) Error() string { return "CONNECT was refused: " + r.answer.Code }

func (g *Agent) answer(a *http.Response, err error) Answer {
	if refused, ok := errors.AsType[*refusedTunnel](err); ok {
		return refused.answer
	}
	if err != nil {
		return Answer{Err: err}
	}
	return read(a, g.seen)
}

// Open sends one request and leaves the body to the caller, whose reads are
// kept like any other.
func (g *Agent) Open(ctx context.Context, method, path string, form url.Values) (*http.Response, error) {
	if form == nil {
		return g.send(ctx, method, path, "", nil)
	}
	return g.send(ctx, method, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// JSON sends a JSON body.
func (g *Agent) JSON(method, path, body string) Answer {
	return g.answer(g.send(context.Background(), method, path, "application/json", strings.NewReader(body)))
}

func (g *Agent) send(ctx context.Context, method, path, kind string, body io.Reader) (*http.Response, error) {
	if !strings.Contains(path, "://") {
		path = g.Base + path
	}
	q, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	return g.Send(q)
}

// Send sends a request of the test's own making, with what the agent always
// sends where it has none of that name, and leaves the body to the caller.
func (g *Agent) Send(q *http.Request) (*http.Response, error) {
	for name, values := range g.Header {
		if _, ok := q.Header[name]; !ok {
			q.Header[name] = values
		}
	}
	if q.Header.Get("Referer") == "" {
		q.Header.Set("Referer", g.Base+"/")
	}
	for _, c := range g.Cookies {
		q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	a, err := g.http.Do(q)
	if err != nil {
		return nil, err
	}
	if g.seen != nil {
		g.seen.head(a)
		a.Body = &kept{a.Body, g.seen, 0}
	}
	return a, nil
}

// Read reads an answer to its end.
func (g *Agent) Read(a *http.Response, err error) Answer { return g.answer(a, err) }

func read(a *http.Response, s *seen) Answer {
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	s.trailer(a)
	out := Answer{Status: a.StatusCode, Header: a.Header, Body: string(b), Record: a.Header.Get("Byline-Record"), Err: err}
	if a.Header.Get("Content-Type") == "application/problem+json" {
		var p struct{ Code string }
		_ = json.Unmarshal(b, &p) // what is no problem document has no code
		out.Code = p.Code
	}
	return out
}

// Want fails the test unless the answer has that status, and text in its body.
func (a Answer) Want(t testing.TB, status int, text string) Answer {
	t.Helper()
	if a.Err != nil || a.Status != status || !strings.Contains(a.Body, text) {
		t.Fatalf("status %d, code %q, error %v, want %d and %q in:\n%.3000s", a.Status, a.Code, a.Err, status, text, a.Body)
	}
	return a
}

// Refused fails the test unless the answer is a refusal with that code, which
// is on record.
func (a Answer) Refused(t testing.TB, code string) Answer {
	t.Helper()
	if a.Err != nil || a.Code != code || a.Record == "" {
		t.Fatalf("status %d, code %q, record %q, error %v, want refusal %s:\n%.1000s", a.Status, a.Code, a.Record, a.Err, code, a.Body)
	}
	return a
}

// seen is everything that agents and operators were shown.
type seen struct {
	mu   sync.Mutex
	text []mention
}

type mention struct {
	where string
	text  []byte
}

func (s *seen) said(where, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, mention{where, []byte(text)})
}

func (s *seen) head(a *http.Response) {
	var b bytes.Buffer
	b.WriteString(a.Status + "\n")
	_ = a.Header.Write(&b)
	s.said("an answer's head", b.String())
}

func (s *seen) trailer(a *http.Response) {
	if len(a.Trailer) > 0 {
		var b bytes.Buffer
		_ = a.Trailer.Write(&b)
		s.said("an answer's trailer", b.String())
	}
}

func (s *seen) all() []mention {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.text)
}

// kept keeps what is read of a body, in one piece. at is its place in seen
// plus one.
type kept struct {
	io.ReadCloser
	s  *seen
	at int
}

func (k *kept) Read(b []byte) (int, error) {
	n, err := k.ReadCloser.Read(b)
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	if k.at == 0 {
		k.s.text = append(k.s.text, mention{where: "an answer's body"})
		k.at = len(k.s.text)
	}
	m := &k.s.text[k.at-1]
	m.text = append(m.text, b[:n]...)
	return n, err
}

// Eventually is a short wait for what the server does beside an answer.
func Eventually(t testing.TB, what string, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v went by before %s", patience, what)
		}
	}
}
