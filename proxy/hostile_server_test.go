package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
)

// borrowedMark is a borrowed credential that must not reach an application.
const borrowedMark = "canary-borrowed-5d2e"

const recordingAdapter = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "http://%s", protocol: %s}
cookies: {hold: [sid], pass: [theme]}
headers: {pass: [A, B, X, X-A, X-B, X-C, X-Empty, X-Twice, X-Name]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{status: 401}]
actions:
  - {name: page.read, match: {method: [GET, HEAD, OPTIONS], path: "/page/{id}"}, resource: "page/{id}", websocket: true}
  - {name: page.edit, match: {method: [POST, PUT, DELETE, PATCH], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: admin, privileged: true, match: {path: "/admin"}}
  - {name: page.save, match: {method: POST, path: "/form", form: {do: save}}, resource: "page/form"}
  - {name: admin.wipe, privileged: true, match: {method: POST, path: "/form", form: {do: wipe}}}
`

// hostileServer is a server that tests send raw bytes to, within one task.
type hostileServer struct {
	*testServer
	origin      *recordingOrigin // nil if the application speaks HTTP/2
	credentials string           // the task's Proxy-Authorization
}

// startHostileServer starts a server for a new recording origin.
func startHostileServer(t testing.TB, c wire.Config) *hostileServer {
	t.Helper()
	return startServerFor(t, newRecordingOrigin(t), c)
}

// startServerFor starts a server for a recording origin.
func startServerFor(t testing.TB, origin *recordingOrigin, c wire.Config) *hostileServer {
	t.Helper()
	h := startServerAt(t, origin.ln.Addr(), "h1", c)
	h.origin = origin
	return h
}

// startServerAt starts a server for the application at addr, with two accounts.
func startServerAt(t testing.TB, addr net.Addr, protocol string, c wire.Config) *hostileServer {
	t.Helper()
	rules := loadRules(t, fmt.Sprintf(recordingAdapter, addr, protocol))
	h := &hostileServer{testServer: startServer(t, t.TempDir(), rules, func(o *Options) {
		o.Wire = c
		putAccount(t, o.Vault.(*vault.File), "legacy", "agent-02", map[string]string{"username": "agent-02", "password": canaryPassword})
	})}
	h.credentials = h.createTask(t)
	return h
}

// createTask creates a task that may do everything but administer, and returns
// its Proxy-Authorization.
func (h *hostileServer) createTask(t testing.TB) string {
	t.Helper()
	task, token, err := h.CreateTask(context.Background(), identity.Spec{
		Agent: "agent/odd", Sponsor: "alice@acme.example", Purpose: "INC-2",
		Scope: []identity.ScopeEntry{{Adapter: "legacy", Actions: []string{"page.*"}, Resources: []string{"page/*"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(task.ID()+":"+token.Reveal()))
}

// withNewTask returns the same server for another task.
func (h *hostileServer) withNewTask(t testing.TB) *hostileServer {
	t.Helper()
	other := *h
	other.credentials = h.createTask(t)
	return &other
}

// taskID returns the ID of the task in the credentials.
func (h *hostileServer) taskID(t testing.TB) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.credentials, "Basic "))
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(string(text), ":")
	return id
}

// connect opens an agent's connection of one kind:
//
//   - tls: HTTP/1.1 over TLS in a tunnel to port 443
//   - h2: HTTP/2 over TLS in a tunnel to port 443
//   - plain: HTTP/1.1 in a tunnel to port 80
//   - front: HTTP/1.1 to the proxy, for requests in absolute form
func (h *hostileServer) connect(t testing.TB, kind string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if kind == "front" {
		return conn
	}

	port := map[string]string{"tls": "443", "h2": "443", "plain": "80"}[kind]
	fmt.Fprintf(conn, "CONNECT example.com:%s HTTP/1.1\r\nHost: example.com:%s\r\nProxy-Authorization: %s\r\n\r\n", port, port, h.credentials)
	answer := make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Fatalf("CONNECT example.com:%s: got %q, error %v; want 200", port, answer, err)
	}
	if kind == "plain" {
		return conn
	}

	protocol := map[string]string{"tls": "http/1.1", "h2": "h2"}[kind]
	tlsConn := tls.Client(conn, &tls.Config{RootCAs: h.roots, ServerName: "example.com", NextProtos: []string{protocol}})
	if err := tlsConn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := tlsConn.ConnectionState().NegotiatedProtocol; got != protocol {
		t.Fatalf("ALPN negotiated %q, want %q", got, protocol)
	}
	return tlsConn
}

// placeholders returns the values of the words in braces of a case that runs over
// a connection of that kind.
func (h *hostileServer) placeholders(kind string) map[string]string {
	saas := "example.com"
	if kind == "plain" || kind == "front" {
		saas += ":80"
	}
	return map[string]string{
		"host":     "example.com", // that the agent names
		"saas":     saas,          // that the application sees
		"borrowed": borrowedMark,
		"proxy":    h.credentials,
		"session":  "sid=" + h.origin.session,
		"kib":      strings.Repeat("k", 1024),
	}
}

// toAbsoluteForm changes a request in origin form to absolute form and adds proxy
// credentials.
func toAbsoluteForm(raw, credentials string) string {
	line, rest, _ := strings.Cut(raw, "\r\n")
	method, target, ok := strings.Cut(line, " ")
	if ok && strings.HasPrefix(target, "/") {
		line = method + " http://example.com" + target
	}
	return line + "\r\nProxy-Authorization: " + credentials + "\r\n" + rest
}

// rawAnswer is an answer as an agent reads it from a connection.
type rawAnswer struct {
	verdict
	header http.Header
	body   string
	ended  bool          // the connection ends after it (HTTP/1.1), or the stream has ended (HTTP/2)
	reset  http2.ErrCode // of the stream, also after a complete answer
}

// sendOnce sends a request on a new connection and reads one answer. brokeOff
// reports that the answer did not end as it should.
func (h *hostileServer) sendOnce(t *testing.T, kind, raw string) (answer rawAnswer, brokeOff bool) {
	t.Helper()
	if kind == "h2" {
		return h.sendOnceH2(t, raw)
	}

	if kind == "front" {
		raw = toAbsoluteForm(raw, h.credentials)
	}
	conn := h.connect(t, kind)
	defer conn.Close()
	go io.WriteString(conn, raw)

	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	for err == nil && resp.StatusCode < 200 {
		resp, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		t.Errorf("read the answer: %v", err)
		return answer, true
	}
	body, err := io.ReadAll(resp.Body)
	answer = rawAnswer{verdict: verdict{status: resp.StatusCode}, header: resp.Header, body: string(body)}
	answer.code = refusalCode(t, resp.Header, answer.body)
	return answer, err != nil
}

func (h *hostileServer) sendOnceH2(t *testing.T, raw string) (answer rawAnswer, brokeOff bool) {
	t.Helper()
	f := h.newFrameAgent(t)
	defer f.conn.Close()
	fields, body := toHTTP2(raw)
	if err := f.writeRequest(1, fields, []byte(body)); err != nil {
		t.Error(err)
	}
	f.readUntil(f.isAnswered(1))
	if f.answers[1] == nil {
		return answer, true
	}
	answer = *f.answers[1]
	answer.code = refusalCode(t, answer.header, answer.body)
	return answer, answer.verdict == (verdict{})
}

// checkWorks checks that a good request passes.
func (h *hostileServer) checkWorks(t *testing.T) {
	t.Helper()
	a, brokeOff := h.sendOnce(t, "tls", "GET /page/fine HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
	if a.status != 200 || a.body != "ok" || brokeOff {
		t.Errorf("a good request got status %d, body %q, broke off %v; want 200 and \"ok\"", a.status, a.body, brokeOff)
	}
}

// refusalCode returns the code of a refusal, or the empty string for another
// answer. It checks that a refusal has all its parts (I10).
func refusalCode(t *testing.T, h http.Header, body string) string {
	t.Helper()
	if h.Get("Content-Type") != "application/problem+json" {
		return ""
	}

	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Errorf("I10: decode a refusal: %v", err)
	}
	hasRemedy := strings.Contains(p.Detail, ". ") || strings.HasSuffix(p.Detail, ".")
	if h.Get("Byline-Record") == "" || p.Code == "" || p.Title == "" || !hasRemedy {
		t.Errorf("I10: a refusal lacks its record, code, title or remedy: record %q, %s", h.Get("Byline-Record"), body)
	}
	if strings.Contains(body, borrowedMark) {
		t.Errorf("I10: a refusal repeats a borrowed credential: %s", body)
	}
	return string(p.Code)
}
