package protocols

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
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

// matrix is one server with an application behind it, and a task of an agent that
// has borrowed a session.
type matrix struct {
	*testenv.Env
	t      *testing.T
	origin *origin
	task   *testenv.Task
	scope  []string
	lent   *http.Cookie
	cells  atomic.Int64

	mu    sync.Mutex
	codes map[string]string // path → what its outcomes are to say; "*": anything but that all went well, "?": that too
	again map[string]bool   // paths that Byline itself asks for a second time within one exchange
}

// protocols are what either end may speak.
var protocols = []string{"h1", "h2"}

const adapterText = `name: %[1]s
interim: {reason: "no identity but a person's", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [%[1]s.acme.test]
upstream: {url: "%[2]s", protocol: %[3]s, %[4]s}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps: [{get: /login}, {post: /login, form: {user: "${username}", pass: "${password}"}}]
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}]
  logout: {steps: [{get: /logout}]}
actions:
  - {name: page.any, match: {path: "/**"}, resource: page}
`

// found makes a house without adapters, not started. more is YAML for byline.yaml.
func found(t *testing.T, more string) *matrix {
	t.Helper()
	m := &matrix{Env: testenv.New(t, more), t: t, lent: &http.Cookie{Name: "sid", Value: testenv.NewSecret()}, codes: map[string]string{}, again: map[string]bool{}}
	m.origin = newOrigin(t, m.Env, m.lent.Value)
	return m
}

// open founds a house with an adapter for each protocol of the application, which
// has so many accounts, and starts it.
func open(t *testing.T, more string, accounts int) *matrix {
	t.Helper()
	m := found(t, more)
	for _, to := range protocols {
		m.adapter(to, to, m.origin.listens(to, nil), m.trusting(), accounts)
	}
	m.begin()
	return m
}

// adapter names an address of the application NAME.acme.test.
func (m *matrix) adapter(name, protocol, url, upstream string, accounts int) {
	m.t.Helper()
	m.WriteFile("adapters.d/"+name+".yaml", fmt.Sprintf(adapterText, name, url, protocol, upstream))
	for i := range accounts {
		user := fmt.Sprintf("%s-%02d", name, i)
		m.PutAccount(name, user, map[string]string{"username": user, "password": m.origin.enrol(user)})
	}
	m.scope = append(m.scope, name+":*")
}

// trusting are the keys of an adapter's upstream that name the origin's authority.
func (m *matrix) trusting() string { return "ca: " + m.origin.issuer.file }

// begin starts the server and makes the task. What is on record is looked at when
// the test ends.
func (m *matrix) begin() {
	m.t.Helper()
	m.Start()
	m.t.Cleanup(m.checkRecord)
	m.task = m.CreateTask(testenv.TaskSpec{Allow: m.scope})
}

// promise is what is kept in every cell, or in those whose agent or application
// speaks a protocol that has it.
type promise struct {
	name     string
	from, to string // "" for either
	at       string // the beginning of the adapter's name, whose end is its protocol
	test     func(*cell)
}

func (p *promise) concerns(from, to string) bool {
	return (p.from == "" || p.from == from) && (p.to == "" || p.to == to)
}

// keeps tries one promise after the other, each in every cell at once.
func (m *matrix) keeps(promises ...promise) {
	for _, p := range promises {
		m.t.Run(p.name, func(t *testing.T) { m.keep(t, p) })
	}
}

// keepsAtOnce is for promises that are mostly waits: they wait together.
func (m *matrix) keepsAtOnce(promises ...promise) {
	var all sync.WaitGroup
	for _, p := range promises {
		all.Go(func() { m.t.Run(p.name, func(t *testing.T) { m.keep(t, p) }) })
	}
	all.Wait()
}

// keep does not use t.Parallel, which runs no more tests than there are processors.
func (m *matrix) keep(t *testing.T, p promise) {
	var cells sync.WaitGroup
	for _, from := range protocols {
		for _, to := range protocols {
			if p.concerns(from, to) {
				cells.Go(func() {
					t.Run(from+" to "+to, func(t *testing.T) { p.test(m.cell(t, m.task, from, p.at+to)) })
				})
			}
		}
	}
	cells.Wait()
}

// cell is an agent that speaks one protocol at an address that speaks one, and a
// part of the origin's paths that is its own.
type cell struct {
	*matrix
	t        *testing.T
	from, to string
	host     string // NAME.acme.test
	root     string // first element of its paths
	task     *testenv.Task
	agent    *testenv.Agent
}

// cell makes one; adapter is the address's, and to what it speaks, which its name
// ends with.
func (m *matrix) cell(t *testing.T, task *testenv.Task, from, adapter string) *cell {
	t.Helper()
	c := &cell{matrix: m, t: t, from: from, to: adapter[len(adapter)-2:], host: adapter + ".acme.test", task: task, root: fmt.Sprint(m.cells.Add(1))}
	c.agent = m.NewAgent(task, &apps.App{PublicURL: "https://" + c.host}, []*http.Cookie{m.lent})
	if from == "h2" {
		c.agent = c.agent.WithHTTP2()
	}
	return c
}

// answers says how the origin answers what the cell asks for.
func (c *cell) answers(answer http.HandlerFunc) {
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	c.origin.routes[c.root] = answer
}

// asksAgain says that Byline asks twice for a path that the agent asks for once.
func (c *cell) asksAgain(path string) {
	c.matrix.mu.Lock()
	defer c.matrix.mu.Unlock()
	c.again["/"+c.root+path] = true
}

// alone is the same cell for a task of its own, with connections of its own.
func (c *cell) alone() *cell {
	c.t.Helper()
	adapter := strings.TrimSuffix(c.host, ".acme.test")
	task := c.CreateTask(testenv.TaskSpec{Allow: []string{adapter + ":*"}})
	c.t.Cleanup(func() { c.Byline("task", "end", task.ID) }) // if the test has not ended it
	return c.matrix.cell(c.t, task, c.from, adapter)
}

// ends says what the outcomes of a path will have for a code.
func (c *cell) ends(path, code string) {
	c.matrix.mu.Lock()
	defer c.matrix.mu.Unlock()
	c.codes["/"+c.root+path] = code
}

// url is a path of the cell's, which begins with a slash.
func (c *cell) url(path string) string { return "https://" + c.host + "/" + c.root + path }

func (c *cell) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url(path), body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// do sends a request and wants an answer in the agent's protocol.
func (c *cell) do(r *http.Request) *http.Response { c.t.Helper(); return c.doAs(c.agent, r) }

func (c *cell) doAs(g *testenv.Agent, r *http.Request) *http.Response {
	c.t.Helper()
	a, err := g.Send(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { a.Body.Close() })
	if want := map[string]int{"h1": 1, "h2": 2}[c.from]; a.ProtoMajor != want {
		c.t.Errorf("the agent is answered in %s", a.Proto)
	}
	return a
}

func (c *cell) get(path string) *http.Response {
	c.t.Helper()
	return c.do(c.request(http.MethodGet, path, nil))
}

// tls is what the agent asks of a handshake of its own.
func (c *cell) tls() *tls.Config {
	alpn := map[string]string{"h1": "http/1.1", "h2": "h2"}[c.from]
	return &tls.Config{RootCAs: c.Roots(), ServerName: c.host, NextProtos: []string{alpn}, MinVersion: tls.VersionTLS12}
}

// connect asks for a tunnel. The connection ends by itself after a while.
func (c *cell) connect() (net.Conn, *http.Response) {
	c.t.Helper()
	conn, err := net.Dial("tcp", c.Listen)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\nProxy-Authorization: Basic %[2]s\r\n\r\n",
		c.host, base64.StdEncoding.EncodeToString([]byte(c.task.ID+":"+c.task.Token)))
	a, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		c.t.Fatal(err)
	}
	return conn, a
}

// tunnel is a connection to the host, in which nothing has been said yet.
func (c *cell) tunnel() net.Conn {
	c.t.Helper()
	conn, a := c.connect()
	if a.StatusCode != http.StatusOK {
		c.t.Fatalf("no tunnel: %s", a.Status)
	}
	return conn
}

// secured is a tunnel with TLS.
func (c *cell) secured() *tls.Conn {
	c.t.Helper()
	conn := tls.Client(c.tunnel(), c.tls())
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// raw sends the lines of a head over a connection, as the agent of the cell.
func (c *cell) raw(conn net.Conn, method, path string, lines ...string) {
	head := append([]string{method + " /" + c.root + path + " HTTP/1.1", "Host: " + c.host, "Cookie: sid=" + c.lent.Value}, lines...)
	fmt.Fprint(conn, strings.Join(head, "\r\n")+"\r\n\r\n")
}

// checkRecord stops the server, has its record verified, and holds it against what
// the origin saw (I2, I3) and what the test said would come of it.
func (m *matrix) checkRecord() {
	m.Stop()
	var report audit.Report
	m.BylineJSON(&report, "audit", "verify")
	if report.Bad != nil || !report.Closed || len(report.Open) > 0 || report.Unfinished > 0 {
		m.t.Errorf("byline audit verify: %+v", report)
	}
	tail := m.Byline("audit", "tail", "-n", fmt.Sprint(report.Records), "--json")
	intents := map[string]int{}
	for lines := json.NewDecoder(strings.NewReader(tail.Out)); ; {
		var r audit.Record
		if err := lines.Decode(&r); err != nil {
			if err != io.EOF {
				m.t.Errorf("byline audit tail: %v", err)
			}
			break
		}
		switch r.Kind {
		case "intent":
			intents[r.Path]++
			if len(r.Stripped) == 0 {
				m.t.Errorf("I2: what %s %s came with is not on record as stripped", r.Method, r.Path)
			}
		case "outcome":
			if want := m.codes[r.Path]; r.Path != "" && r.Code != want && want != "?" && (want != "*" || r.Code == "") {
				m.t.Errorf("the outcome of %s %s has the code %q, want %q", r.Method, r.Path, r.Code, want)
			}
		}
	}
	for path, n := range m.origin.seen {
		if intents[path] < n && !(m.again[path] && intents[path] > 0) {
			m.t.Errorf("I3: %d requests for %s reached the origin, with %d intents", n, path, intents[path])
		}
	}
}

// patience is how long anything may take before a test gives up.
const patience = 30 * time.Second

// within fails when done does not come in time; it waits no longer than needed.
func within[T any](t *testing.T, what string, done <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
	return v
}

// given is a context that ends with the test, or when it has taken too long.
func given(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
