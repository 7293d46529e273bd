package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
)

// The tests whose files begin with protocols run in this process, so that the
// race detector sees the server. Those in cmd/byline/e2e/protocols test the same
// protocols with the built program.

// protocolTest is a server between an agent that speaks one protocol and an
// application that speaks one.
type protocolTest struct {
	*testServer
	t        *testing.T
	from, to string // protocol of the agent and of the application: h1 or h2
	app      *httptest.Server
	appConns atomic.Int64 // connections that the application has accepted
	agent    *http.Client
	task     *identity.Task
	proxy    *url.URL // with the task's credentials
}

const protocolAdapter = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "%s", ca: "%s", protocol: %s%s}
cookies: {hold: [sid], pass: [theme]}
headers: {pass: [X-Check]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}, {status: 200, content_type: "text/*", body: "you must log in"}]
actions:
  - {name: page.any, match: {path: "/**"}, resource: "page/1", websocket: true, binary: true}
`

// canarySession is the session that the application gives Byline.
const canarySession = "canary-session-0123456789abcdef"

// maskedSession is what an agent sees of it.
var maskedSession = strings.Repeat("*", len(canarySession))

// protocolVersions are the protocols of agents and applications with their major
// versions.
var protocolVersions = map[string]int{"h1": 1, "h2": 2}

// testAllProtocols runs test with every pair of protocols. The application calls
// handler for requests with the session and sends others to the login.
func testAllProtocols(t *testing.T, handler http.HandlerFunc, test func(*protocolTest)) {
	for _, from := range []string{"h1", "h2"} {
		for _, to := range []string{"h1", "h2"} {
			t.Run(from+" to "+to, func(t *testing.T) { test(newProtocolTest(t, from, to, handler, protocolOptions{})) })
		}
	}
}

// protocolOptions changes a protocolTest. Nil functions change nothing.
type protocolOptions struct {
	upstream     string // further keys of the adapter's upstream, each after a comma
	changeApp    func(*httptest.Server)
	changeServer func(*Options)
	actions      string // of the adapter, in place of one that is every path
}

func newProtocolTest(t *testing.T, from, to string, handler http.HandlerFunc, o protocolOptions) *protocolTest {
	t.Helper()

	p := &protocolTest{t: t, from: from, to: to}
	p.app = httptest.NewUnstartedServer(requireSession(t, to, handler))
	p.app.EnableHTTP2 = to == "h2"
	p.app.Config.HTTP2 = &http.HTTP2Config{ // windows so large that flow control of the application does not hold up a test
		MaxReceiveBufferPerConnection: 1 << 26,
		MaxReceiveBufferPerStream:     1 << 20,
	}
	p.app.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			p.appConns.Add(1)
		}
	}
	if o.changeApp != nil {
		o.changeApp(p.app)
	}
	p.app.StartTLS()
	t.Cleanup(p.app.Close)

	adapter := fmt.Sprintf(protocolAdapter, p.app.URL, writeCertificate(t, p.app), to, o.upstream)
	if o.actions != "" {
		adapter = adapter[:strings.Index(adapter, "\nactions:")] + "\nactions:" + o.actions
	}
	p.testServer = startServer(t, t.TempDir(), loadRules(t, adapter), o.changeServer)
	task, token, err := p.CreateTask(context.Background(), pagesSpec)
	if err != nil {
		t.Fatal(err)
	}
	p.task = task
	p.proxy = p.proxyURL(task, token)
	p.agent = p.newProtocolAgent()
	return p
}

// newProtocolAgent returns a client that speaks the agent's protocol.
func (p *protocolTest) newProtocolAgent() *http.Client {
	transport := &http.Transport{
		Proxy:                 http.ProxyURL(p.proxy),
		TLSClientConfig:       p.agentTLS(),
		ForceAttemptHTTP2:     p.from == "h2",
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true,
		ExpectContinueTimeout: 10 * time.Second,
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: ignoreRedirects}
}

// agentTLS returns the configuration of an agent that speaks its protocol only.
func (p *protocolTest) agentTLS() *tls.Config {
	alpn := "http/1.1"
	if p.from == "h2" {
		alpn = "h2"
	}
	return &tls.Config{RootCAs: p.roots, ServerName: "example.com", NextProtos: []string{alpn}}
}

// requireSession is the application's own check of the session. It fails the
// test if a borrowed credential or another protocol arrives.
func requireSession(t *testing.T, protocol string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: canarySession, Path: "/"})
			http.Redirect(w, r, "/home", http.StatusFound)
			return
		}
		if want := protocolVersions[protocol]; r.ProtoMajor != want {
			t.Errorf("%s %s arrived over %s, want HTTP/%d", r.Method, r.URL.Path, r.Proto, want)
		}
		if cookieValue(r, "sid") != canarySession {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		if strings.Contains(fmt.Sprint(r.Header), canaryHuman) {
			t.Errorf("I2: %s %s arrived with a borrowed credential", r.Method, r.URL.Path)
		}
		next(w, r)
	})
}

// send sends a request with a borrowed cookie, checks the protocol of the answer
// and returns it with its body unread.
func (p *protocolTest) send(r *http.Request) *http.Response {
	p.t.Helper()
	r.Header.Set("Cookie", "sid="+canaryHuman)
	resp, err := p.agent.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	if want := protocolVersions[p.from]; resp.ProtoMajor != want {
		p.t.Errorf("the answer to %s %s came over %s, want HTTP/%d", r.Method, r.URL.Path, resp.Proto, want)
	}
	return resp
}

// get sends a GET and returns the answer with its body unread.
func (p *protocolTest) get(path string) *http.Response {
	p.t.Helper()
	return p.send(p.newRequest(http.MethodGet, path, nil))
}

// newRequest returns a request to example.com. A body gets no Content-Length.
func (p *protocolTest) newRequest(method, path string, body io.Reader) *http.Request {
	p.t.Helper()
	r, err := http.NewRequest(method, "https://example.com"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if rc, ok := body.(io.ReadCloser); ok {
		r.Body = rc
	} else if body != nil {
		r.Body = io.NopCloser(body)
	}
	return r
}

// checkBody reads an answer to its end and compares its body.
func (p *protocolTest) checkBody(resp *http.Response, want string) {
	p.t.Helper()
	got, err := io.ReadAll(resp.Body)
	if err != nil || string(got) != want {
		p.t.Errorf("%s %s: got body %.200q, error %v; want %.200q", resp.Request.Method, resp.Request.URL.Path, got, err, want)
	}
}

// checkBreaksOff reads an answer to its end, which must be an error, and returns
// what was read.
func (p *protocolTest) checkBreaksOff(resp *http.Response) string {
	p.t.Helper()
	got, err := io.ReadAll(resp.Body)
	if err == nil {
		p.t.Errorf("%s %s: got %d bytes without an error, want an answer that breaks off", resp.Request.Method, resp.Request.URL.Path, len(got))
	}
	return string(got)
}

// openTunnel returns a tunnel to example.com over which nothing was sent. It has
// a deadline.
func (p *protocolTest) openTunnel() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))

	fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: %s\r\n\r\n", p.proxyAuthorization())
	var answer [len("HTTP/1.1 200 Connection established\r\n\r\n")]byte
	if _, err := conn.Read(answer[:]); err != nil || !strings.HasPrefix(string(answer[:]), "HTTP/1.1 200") {
		p.t.Fatalf("CONNECT example.com:443: got %q, error %v; want 200", answer, err)
	}
	return conn
}

func (p *protocolTest) proxyAuthorization() string {
	password, _ := p.proxy.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.proxy.User.Username()+":"+password))
}

// openTLS returns a tunnel after a TLS handshake.
func (p *protocolTest) openTLS() *tls.Conn {
	p.t.Helper()
	conn := tls.Client(p.openTunnel(), p.agentTLS())
	if err := conn.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// readPathRecords closes the server and returns the records of that kind that
// have a path, which those of logins have not.
func (p *protocolTest) readPathRecords(kind string) []audit.Record {
	p.t.Helper()
	p.agent.CloseIdleConnections()
	var records []audit.Record
	for _, r := range p.readRecords(p.t, kind) {
		if r.Path != "" {
			records = append(records, r)
		}
	}
	return records
}

// readResponse reads the head of an answer from a connection.
func readResponse(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
