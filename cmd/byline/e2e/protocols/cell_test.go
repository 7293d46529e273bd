package protocols

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// cell is an agent that speaks one protocol, an address of the origin that
// speaks one, and the paths of the origin that belong to one test.
type cell struct {
	*matrix
	t        *testing.T
	from, to string // protocol of the agent and of the origin
	host     string // name.acme.test
	root     string // first element of the cell's paths
	task     *testenv.Task
	agent    *testenv.Agent
}

// newCell returns a cell of the adapter, whose name ends with the origin's
// protocol.
func (m *matrix) newCell(t *testing.T, task *testenv.Task, from, adapter string) *cell {
	t.Helper()
	c := &cell{
		matrix: m, t: t, task: task,
		from: from, to: adapter[len(adapter)-2:],
		host: adapter + ".acme.test",
		root: fmt.Sprint(m.cells.Add(1)),
	}
	c.agent = m.NewAgent(task, &apps.App{PublicURL: "https://" + c.host}, []*http.Cookie{m.borrowed})
	if from == "h2" {
		c.agent = c.agent.WithHTTP2()
	}
	return c
}

// withOwnTask returns the same cell for a new task, and therefore with other
// connections, another account and other paths. The task ends with the test.
func (c *cell) withOwnTask() *cell {
	c.t.Helper()
	adapter := strings.TrimSuffix(c.host, ".acme.test")
	task := c.CreateTask(testenv.TaskSpec{Allow: []string{adapter + ":*"}})
	c.t.Cleanup(func() { c.Byline("task", "end", task.ID) }) // fails if the test has ended it
	return c.newCell(c.t, task, c.from, adapter)
}

// handle makes the origin answer the cell's requests with h.
func (c *cell) handle(h http.HandlerFunc) {
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	c.origin.handlers[c.root] = h
}

// expectCode declares the code that the outcomes of a path must have: a code of
// a refusal, anyFailure or anyOutcome. Without it the code must be empty.
func (c *cell) expectCode(path, code string) {
	c.matrix.mu.Lock()
	defer c.matrix.mu.Unlock()
	c.expectedCodes["/"+c.root+path] = code
}

// url returns the URL of one of the cell's paths, which begins with a slash.
func (c *cell) url(path string) string { return "https://" + c.host + "/" + c.root + path }

func (c *cell) newRequest(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url(path), body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// exchange sends a request without a body and reads the answer to its end.
func (c *cell) exchange(method, path string) testenv.Answer {
	c.t.Helper()
	return c.agent.Do(c.newRequest(method, path, nil))
}

// get sends a GET and returns the answer with its body unread.
func (c *cell) get(path string) *http.Response {
	c.t.Helper()
	return c.send(c.newRequest(http.MethodGet, path, nil))
}

// send sends a request, checks that the answer has the agent's protocol, and
// returns it with its body unread.
func (c *cell) send(r *http.Request) *http.Response {
	c.t.Helper()
	return c.sendAs(c.agent, r)
}

func (c *cell) sendAs(agent *testenv.Agent, r *http.Request) *http.Response {
	c.t.Helper()
	resp, err := agent.Send(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	if want := protocolMajor(c.from); resp.ProtoMajor != want {
		c.t.Errorf("the answer to %s %s came over %s, want HTTP/%d", r.Method, r.URL.Path, resp.Proto, want)
	}
	return resp
}

// protocolMajor returns the major version of h1 or h2.
func protocolMajor(protocol string) int {
	if protocol == "h2" {
		return 2
	}
	return 1
}

// tlsConfig returns the configuration of an agent that speaks the cell's
// protocol only.
func (c *cell) tlsConfig() *tls.Config {
	alpn := "http/1.1"
	if c.from == "h2" {
		alpn = "h2"
	}
	return &tls.Config{RootCAs: c.Roots(), ServerName: c.host, NextProtos: []string{alpn}, MinVersion: tls.VersionTLS12}
}

// connect sends a CONNECT over a new connection and returns the answer. The
// connection has a deadline.
func (c *cell) connect() (net.Conn, *http.Response) {
	c.t.Helper()
	conn, err := net.Dial("tcp", c.Listen)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(timeout))

	credentials := base64.StdEncoding.EncodeToString([]byte(c.task.ID + ":" + c.task.Token))
	fmt.Fprintf(conn, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\nProxy-Authorization: Basic %[2]s\r\n\r\n", c.host, credentials)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		c.t.Fatal(err)
	}
	return conn, resp
}

// openTunnel returns a tunnel to the cell's host over which nothing was sent.
func (c *cell) openTunnel() net.Conn {
	c.t.Helper()
	conn, resp := c.connect()
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("CONNECT %s: %s, want 200", c.host, resp.Status)
	}
	return conn
}

// openTLS returns a tunnel after a TLS handshake.
func (c *cell) openTLS() *tls.Conn {
	c.t.Helper()
	conn := tls.Client(c.openTunnel(), c.tlsConfig())
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// writeHead writes the head of an HTTP/1.1 request with the borrowed cookie and
// the given field lines.
func (c *cell) writeHead(conn net.Conn, method, path string, lines ...string) {
	head := append([]string{method + " /" + c.root + path + " HTTP/1.1", "Host: " + c.host, "Cookie: sid=" + c.borrowed.Value}, lines...)
	fmt.Fprint(conn, strings.Join(head, "\r\n")+"\r\n\r\n")
}
