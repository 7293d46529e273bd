package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/policy"
)

// wires is the whole walk between one protocol towards the agent and one towards
// the SaaS. Whatever the test's own handler sees came with a session of Byline's.
type wires struct {
	*house
	t        *testing.T
	from, to string // "h1" or "h2"
	saas     *httptest.Server
	agent    *http.Client
	task     *identity.Task
	proxy    *url.URL
	conns    atomic.Int64 // connections that the SaaS has taken
}

const wiresAdapter = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "%s", ca: "%s", protocol: %s%s}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}, {status: 200, content_type: "text/*", body: "you must log in"}]
actions:
  - {name: page.any, match: {path: "/**"}, resource: "page/1"}
`

const canarySession = "canary-session-0123456789abcdef"

// overWires runs test over every pair of protocols. saas answers requests that
// carry the session; everybody else is sent to the login.
func overWires(t *testing.T, saas http.HandlerFunc, test func(*wires)) {
	for _, from := range []string{"h1", "h2"} {
		for _, to := range []string{"h1", "h2"} {
			t.Run(from+" to "+to, func(t *testing.T) { test(newWires(t, from, to, saas, nil)) })
		}
	}
}

// wiring is what a test may want otherwise.
type wiring struct {
	upstream string // further keys of the adapter's upstream
	server   func(*httptest.Server)
	options  func(*Options)
}

func newWires(t *testing.T, from, to string, saas http.HandlerFunc, how *wiring) *wires {
	t.Helper()
	if how == nil {
		how = &wiring{}
	}
	w := &wires{t: t, from: from, to: to}
	w.saas = httptest.NewUnstartedServer(guardedBySession(t, to, saas))
	w.saas.EnableHTTP2 = to == "h2"
	w.saas.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 1 << 26, MaxReceiveBufferPerStream: 1 << 20} // what stalls is not to be the SaaS
	w.saas.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			w.conns.Add(1)
		}
	}
	if how.server != nil {
		how.server(w.saas)
	}
	w.saas.StartTLS()
	t.Cleanup(w.saas.Close)
	ca := t.TempDir() + "/ca.pem"
	writeFile(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.saas.Certificate().Raw}))
	set, err := adapters.Load([]adapters.Source{{Name: "legacy.yaml", Text: fmt.Appendf(nil, wiresAdapter, w.saas.URL, ca, to, how.upstream)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.house = openWith(t, t.TempDir(), Rules{Adapters: set, Policy: p}, how.options)
	task, token, err := w.CreateTask(context.Background(), reader)
	if err != nil {
		t.Fatal(err)
	}
	w.task, w.proxy = task, &url.URL{Scheme: "http", Host: w.addr, User: url.UserPassword(task.ID(), token.Reveal())}
	w.agent = w.newAgent()
	return w
}

// newAgent is a client with connections of its own.
func (w *wires) newAgent() *http.Client {
	tr := &http.Transport{Proxy: http.ProxyURL(w.proxy), TLSClientConfig: w.agentTLS(), ForceAttemptHTTP2: w.from == "h2",
		MaxIdleConnsPerHost: 64, DisableCompression: true, ExpectContinueTimeout: 10 * time.Second}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *wires) agentTLS() *tls.Config {
	return &tls.Config{RootCAs: w.roots, ServerName: "example.com", NextProtos: []string{map[string]string{"h1": "http/1.1", "h2": "h2"}[w.from]}}
}

// guardedBySession is the SaaS's own login.
func guardedBySession(t *testing.T, proto string, saas http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: canarySession, Path: "/"})
			http.Redirect(w, r, "/home", http.StatusFound)
			return
		}
		if want := map[string]int{"h1": 1, "h2": 2}[proto]; r.ProtoMajor != want {
			t.Errorf("the SaaS is spoken to in %s", r.Proto)
		}
		if c, err := r.Cookie("sid"); err != nil || c.Value != canarySession {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		if strings.Contains(fmt.Sprint(r.Header), canaryHuman) {
			t.Error("I2: a borrowed credential reached the SaaS")
		}
		saas(w, r)
	})
}

// do sends a request as an agent does that has borrowed a session.
func (w *wires) do(r *http.Request) *http.Response {
	w.t.Helper()
	r.Header.Set("Cookie", "sid="+canaryHuman)
	resp, err := w.agent.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	if want := map[string]int{"h1": 1, "h2": 2}[w.from]; resp.ProtoMajor != want {
		w.t.Errorf("the agent is answered in %s", resp.Proto)
	}
	return resp
}

func (w *wires) get(path string) *http.Response {
	w.t.Helper()
	return w.do(w.request(http.MethodGet, path))
}

func (w *wires) request(method, path string) *http.Request {
	r, err := http.NewRequest(method, "https://example.com"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// tunnel is a raw connection through the proxy to the adapter's host.
func (w *wires) tunnel() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	password, _ := w.proxy.User.Password()
	fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Basic %s\r\n\r\n",
		base64.StdEncoding.EncodeToString([]byte(w.proxy.User.Username()+":"+password)))
	var line [len("HTTP/1.1 200 Connection established\r\n\r\n")]byte
	if _, err := conn.Read(line[:]); err != nil || !strings.HasPrefix(string(line[:]), "HTTP/1.1 200") {
		w.t.Fatalf("no tunnel: %q %v", line, err)
	}
	return conn
}

// secured is a tunnel with TLS.
func (w *wires) secured() *tls.Conn {
	w.t.Helper()
	conn := tls.Client(w.tunnel(), w.agentTLS())
	if err := conn.Handshake(); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// records closes the house and gives what is on record.
func (w *wires) records(kind string) (all []audit.Record) {
	w.t.Helper()
	w.agent.CloseIdleConnections()
	w.shut(w.t)
	for r, err := range audit.Tail(context.Background(), w.dir+"/audit", 10000, false) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Kind == kind && r.Path != "" {
			all = append(all, r)
		}
	}
	return all
}

// within fails when done does not come in time; it waits no longer than needed.
func within[T any](t *testing.T, what string, done <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not within thirty seconds", what)
	}
	return v
}

// reply is a short answer over a raw connection.
func reply(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
