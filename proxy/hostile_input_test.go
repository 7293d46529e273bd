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
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
)

const (
	borrowedMark = "canary-borrowed-5d2e"
	oddAdapter   = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "http://%s", protocol: h1}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{status: 401}]
actions:
  - {name: page.read, match: {method: [GET, HEAD, OPTIONS], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: page.edit, match: {method: [POST, PUT, DELETE, PATCH], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: admin, privileged: true, match: {path: "/admin"}}
  - {name: page.save, match: {method: POST, path: "/form", form: {do: save}}, resource: "page/form"}
  - {name: admin.wipe, privileged: true, match: {method: POST, path: "/form", form: {do: wipe}}}
`
)

// hostileHouse is a corridor with short patience over a recorder, and one task.
type hostileHouse struct {
	*house
	origin *recorder
	proxy  string // the task's Proxy-Authorization
}

func openHostile(t testing.TB, w wire.Config) *hostileHouse {
	t.Helper()
	return openOver(t, newRecorder(t), w)
}

func openOver(t testing.TB, origin *recorder, w wire.Config) *hostileHouse {
	t.Helper()
	set, err := adapters.Load([]adapters.Source{{Name: "odd.yaml", Text: []byte(fmt.Sprintf(oddAdapter, origin.ln.Addr()))}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostileHouse{origin: origin}
	h.house = openWith(t, t.TempDir(), Rules{Adapters: set, Policy: p}, func(o *Options) {
		o.Wire = w
		second := vault.NewSecret(map[string]string{"username": "agent-02", "password": canaryPassword})
		if err := o.Vault.(*vault.File).Put("legacy", "agent-02", second); err != nil {
			t.Fatal(err)
		}
	})
	h.proxy = h.newTask(t)
	return h
}

// newTask makes a task that may do everything but administer, and gives its
// proxy credentials.
func (h *hostileHouse) newTask(t testing.TB) string {
	t.Helper()
	task, token, err := h.CreateTask(context.Background(), identity.Spec{Agent: "agent/odd", Sponsor: "alice@acme.example", Purpose: "INC-2",
		Scope: []identity.ScopeEntry{{Adapter: "legacy", Actions: []string{"page.*"}, Resources: []string{"page/*"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(task.ID()+":"+token.Reveal()))
}

// connect opens an agent's connection of one kind.
func (h *hostileHouse) connect(t testing.TB, kind string) net.Conn {
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
	fmt.Fprintf(conn, "CONNECT example.com:%s HTTP/1.1\r\nHost: example.com:%s\r\nProxy-Authorization: %s\r\n\r\n", port, port, h.proxy)
	answer := make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Fatalf("no tunnel: %q %v", answer, err)
	}
	if kind == "plain" {
		return conn
	}
	protocol := map[string]string{"tls": "http/1.1", "h2": "h2"}[kind]
	secured := tls.Client(conn, &tls.Config{RootCAs: h.roots, ServerName: "example.com", NextProtos: []string{protocol}})
	if err := secured.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := secured.ConnectionState().NegotiatedProtocol; got != protocol {
		t.Fatalf("ALPN chose %q", got)
	}
	return secured
}

// names are what the braces of a case stand for on one wire.
func (h *hostileHouse) names(kind string) map[string]string {
	saas := "example.com"
	if kind == "plain" || kind == "front" {
		saas += ":80"
	}
	return map[string]string{"host": "example.com", "saas": saas, "borrowed": borrowedMark, "proxy": h.proxy,
		"session": "sid=" + h.origin.session, "kib": strings.Repeat("k", 1024)}
}

// absolute turns a request in origin form into what a proxy gets without CONNECT.
func absolute(raw, proxy string) string {
	line, rest, _ := strings.Cut(raw, "\r\n")
	method, target, ok := strings.Cut(line, " ")
	if ok && strings.HasPrefix(target, "/") {
		line = method + " http://example.com" + target
	}
	return line + "\r\nProxy-Authorization: " + proxy + "\r\n" + rest
}

// got is an answer as the agent reads it.
type got struct {
	verdict
	header http.Header
	body   string
	close  bool          // nothing more comes: of the connection, or the stream
	reset  http2.ErrCode // of the stream, also behind its answer
}

// ask sends raw and reads as many answers as are wanted; then it proves that
// the connection stands where the next request begins, or that it is closed.
func (h *hostileHouse) ask(t *testing.T, kind string, raw []byte, want int) (all []got) {
	t.Helper()
	conn := h.connect(t, kind)
	defer conn.Close()
	sent := make(chan struct{})
	go func() { defer close(sent); conn.Write(raw) }()
	br := bufio.NewReader(conn)
	closed := false
	for len(all) < want && !closed {
		resp, err := http.ReadResponse(br, &http.Request{Method: methodOf(raw, len(all))})
		if err != nil {
			t.Errorf("answer %d of %d: %v", len(all)+1, want, err)
			return all
		}
		g := got{verdict: verdict{status: resp.StatusCode}, header: resp.Header, close: resp.Close}
		tunnel := resp.StatusCode == http.StatusOK && resp.Request.Method == http.MethodConnect
		if resp.StatusCode != http.StatusSwitchingProtocols && !tunnel {
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Errorf("answer %d broke off: %v", len(all)+1, err)
			}
			g.body = string(b)
		}
		g.code = problemOf(t, resp.Header, g.body)
		all = append(all, g)
		closed = resp.Close && !tunnel || resp.StatusCode == http.StatusSwitchingProtocols
	}
	<-sent
	if closed {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if all[len(all)-1].status != http.StatusSwitchingProtocols {
			if rest, err := io.ReadAll(br); len(rest) > 0 || err != nil && !isReset(err) {
				t.Errorf("after the last answer: %q %v", rest, err)
			}
		}
		return all
	}
	sentinel := "GET /page/sentinel HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
	if kind == "front" {
		sentinel = absolute(sentinel, h.proxy)
	}
	io.WriteString(conn, sentinel)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Errorf("the connection is neither closed nor of use: %v", err)
		return all
	}
	if b, _ := io.ReadAll(br); resp.StatusCode != 200 || !strings.HasPrefix(string(b), "") && len(b) != 2 {
		t.Errorf("instead of the answer to the next request: %d %q", resp.StatusCode, b)
	}
	return all
}

// methodOf is the method of the nth request, as far as the answer's framing
// depends on it.
func methodOf(raw []byte, n int) string {
	if method, _, _ := strings.Cut(string(raw), " "); n == 0 && (method == "HEAD" || method == "CONNECT") {
		return method
	}
	return "GET"
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset") }

// problemOf is the code of a refusal, whose form it checks (I10).
func problemOf(t *testing.T, h http.Header, body string) string {
	t.Helper()
	if h.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Errorf("a refusal is not JSON: %v", err)
	}
	if h.Get("Byline-Record") == "" || p.Code == "" || p.Title == "" || !strings.Contains(p.Detail, ". ") && !strings.HasSuffix(p.Detail, ".") {
		t.Errorf("a refusal without record, code, title or remedy: %s (record %q)", body, h.Get("Byline-Record"))
	}
	if strings.Contains(body, borrowedMark) {
		t.Error("a refusal repeats a credential")
	}
	return string(p.Code)
}

// TestI2I10HostileInput runs the table: nothing borrowed reaches the
// application, and what reaches it is what the table says and nothing else.
func TestI2I10HostileInput(t *testing.T) {
	// Only where time must run out is it short: elsewhere a busy machine would be judged.
	patient, hasty := openHostile(t, wire.Config{}), openHostile(t, impatient())
	cases := readHostile(t)
	for _, c := range cases {
		h := patient
		if slices.ContainsFunc(c.verdict, func(v verdict) bool { return v.status == http.StatusRequestTimeout }) {
			h = hasty
		}
		for _, kind := range c.wires {
			t.Run(c.family+"/"+c.name+"/"+kind, func(t *testing.T) { h.check(t, c, kind) })
		}
	}
	if n := len(cases); n < 300 {
		t.Errorf("only %d cases", n)
	}
}

func (h *hostileHouse) check(t *testing.T, c hostileCase, kind string) {
	names := h.names(kind)
	text := c.raw
	if !strings.Contains(text, "{borrowed}") {
		t.Fatal("the case carries no borrowed credential")
	}
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	names["length"] = strconv.Itoa(len(bytesOf(t, body, names)))
	raw := bytesOf(t, text, names)
	want := c.verdict
	var answers []got
	h.origin.take()
	if kind == "h2" {
		if c.verdict2 != nil {
			want = c.verdict2
		}
		fields, body := translate(text)
		for i, f := range fields {
			fields[i] = pair{string(bytesOf(t, f.name, names)), string(bytesOf(t, f.value, names))}
		}
		answers = h.ask2(t, fields, bytesOf(t, body, names))
	} else {
		if kind == "front" && !strings.Contains(text, "{proxy}") {
			raw = []byte(absolute(string(raw), h.proxy))
		}
		answers = h.ask(t, kind, raw, len(want))
	}
	verdicts := make([]verdict, len(answers))
	for i := range answers {
		verdicts[i] = answers[i].verdict
	}
	if !slices.Equal(verdicts, want) {
		t.Errorf("answers %v, want %v\n%+v", verdicts, want, answers)
	}
	if c.cut {
		h.origin.untilBroken(t)
	}
	seen, broken, all := h.origin.take()
	if strings.Contains(all, borrowedMark) {
		t.Errorf("I2: the borrowed credential reached the application:\n%q", all)
	}
	if broken != "" && !c.cut {
		t.Errorf("the application saw what it cannot read:\n%q", broken)
	}
	seen, _, _ = strings.Cut(seen, "GET /page/sentinel ")
	if origin := string(bytesOf(t, c.origin, names)); !sameRequests(kind, seen, origin) {
		t.Errorf("the application saw\n%q\nwant\n%q", seen, origin)
	}
}

// sameRequests compares byte for byte where the wire keeps bytes; net/http and
// HTTP/2 keep neither the order of names nor their case.
func sameRequests(kind, seen, want string) bool {
	if kind == "tls" || kind == "plain" {
		return seen == want
	}
	return unordered(seen) == unordered(want)
}

func unordered(s string) string {
	head, body, _ := strings.Cut(s, "\r\n\r\n")
	line, fields, _ := strings.Cut(head, "\r\n")
	lines := strings.Split(fields, "\r\n")
	for i, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		lines[i] = strings.ToLower(name) + ":" + value
	}
	slices.Sort(lines)
	return line + "\n" + strings.Join(lines, "\n") + "\n\n" + body
}
