package protocols

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// shortTimeouts makes every timeout short. exchange_total is the longest, so
// that each of the others applies before it.
const shortTimeouts = `wire:
  head_timeout: 1400ms
  idle_timeout: 2500ms
  body_stall: 1700ms
  answer_stall: 2s
  dial_timeout: 2s
  tls_timeout: 2100ms
  response_head: 2s
  continue_wait: 100ms
  exchange_total: 5s
`

func TestTimeouts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: waits for timeouts of seconds")
	}
	m := newMatrix(t, shortTimeouts)
	silent := listenSilently(t)
	for _, p := range protocols {
		m.addAdapter(p, p, m.origin.listen(p, nil), m.trustOrigin(), 3)
		m.addAdapter("full-"+p, p, "https://"+listenWithFullQueue(t, "127.0.0.1:0"), m.trustOrigin(), 1)
		m.addAdapter("silent-"+p, p, "https://"+silent, m.trustOrigin(), 1)
	}
	m.start()
	m.runConcurrently(
		matrixTest{name: "head_timeout: the agent stops in a head", from: "h1", run: testHeadStops},
		matrixTest{name: "idle_timeout: the agent stops in a head of several frames", from: "h2", run: testHeadFramesStop},
		matrixTest{name: "tls_timeout: the agent sends nothing in its tunnel", run: testSilentTunnel},
		matrixTest{name: "idle_timeout: the agent's connection is idle", run: testIdleAgentConnection},
		matrixTest{name: "idle_timeout: the connection to the application is idle", run: testIdleApplicationConnection},
		matrixTest{name: "body_stall: the agent stops in a body", run: testBodyStops},
		matrixTest{name: "body_stall: the agent does not read", run: testAgentDoesNotRead},
		matrixTest{name: "dial_timeout: the application accepts no connection", adapter: "full-", run: testGatewayTimeout},
		matrixTest{name: "tls_timeout: the application makes no handshake", adapter: "silent-", run: testGatewayTimeout},
		matrixTest{name: "response_head: the application does not answer", run: testNoAnswer},
		matrixTest{name: "answer_stall: the application stops in an answer", run: testAnswerStops},
		matrixTest{name: "continue_wait: the application never sends 100", to: "h1", run: testNoContinue},
		matrixTest{name: "exchange_total: the exchange never ends", run: testEndlessExchange},
	)
}

func testHeadStops(c *cell) {
	conn := c.openTLS()
	fmt.Fprintf(conn, "GET /%s/x HTTP/1.1\r\nHost: %s\r\nCookie: sid=%s", c.root, c.host, c.borrowed.Value)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "ambiguous_request") || err != nil {
		c.t.Errorf("got %s, error %v, body %q; want 408 and ambiguous_request", resp.Status, err, body)
	}
}

// testHeadFramesStop writes no frame after HEADERS without END_HEADERS, not even
// the acknowledgement of settings, which is not allowed there.
func testHeadFramesStop(c *cell) {
	f := c.newFrameAgent()
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encodeHead("GET", "/x")}); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, f.conn); err != nil {
		c.t.Errorf("the connection ended with %v, want a clean end", err)
	}
}

func testSilentTunnel(c *cell) {
	if _, err := io.ReadAll(c.openTunnel()); err != nil {
		c.t.Errorf("the tunnel ended with %v, want a clean end", err)
	}
}

// testIdleAgentConnection sends nothing after an exchange. The connection ends
// cleanly.
func testIdleAgentConnection(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	if c.from == "h2" {
		f := c.newFrameAgent()
		f.writeRequest(1, "GET", "/page")
		if !f.readUntil(endsStream) {
			c.t.Fatal("the connection ended before the answer")
		}
		f.readToEnd()
		return
	}

	conn := c.openTLS()
	c.writeHead(conn, "GET", "/page")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
		c.t.Errorf("got body %q, error %v; want \"hello\"", body, err)
	}
	if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
		c.t.Errorf("after the answer: got %q, error %v; want a clean end", rest, err)
	}
}

// testIdleApplicationConnection uses its own task, whose connections no other
// test uses.
func testIdleApplicationConnection(c *cell) {
	c = c.withOwnTask()
	c.handle(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	clientAddr := c.exchange("GET", "/page").Want(c.t, 200, ":").Body
	testenv.WaitUntil(c.t, "the origin sees the end of the connection", func() bool { return c.origin.isClosed(clientAddr) })
}

func testBodyStops(c *cell) {
	ended := make(chan error, 1)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	})

	c.expectCode("/up", anyFailure)
	body, up := io.Pipe()
	defer up.Close()
	go up.Write([]byte("some"))
	a := c.agent.Do(c.newRequest("POST", "/up", body).WithContext(timeoutContext(c.t)))
	if a.Err != nil || a.Status != http.StatusRequestTimeout || a.Code != "ambiguous_request" {
		c.t.Errorf("got status %d, code %q, error %v; want 408 and ambiguous_request", a.Status, a.Code, a.Err)
	}
	if receive(c.t, "the end of the body at the origin", ended) == nil {
		c.t.Error("the body ended at the origin without an error, as if it were complete")
	}
}

func testAgentDoesNotRead(c *cell) {
	ended := make(chan error, 1)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		piece := make([]byte, 64<<10)
		var err error
		for err == nil {
			_, err = w.Write(piece)
		}
		ended <- err
	})

	c.expectCode("/down", anyFailure)
	c.sendAs(c.agent.WithoutTranscript(), c.newRequest("GET", "/down", nil))
	receive(c.t, "the end of the answer at the origin", ended)
}

func testGatewayTimeout(c *cell) {
	a := c.exchange("GET", "/page").WantRefusal(c.t, "upstream_unreachable")
	if a.Status != http.StatusGatewayTimeout {
		c.t.Errorf("got status %d, want 504", a.Status)
	}
}

func testNoAnswer(c *cell) {
	ended := make(chan struct{}, 1)
	c.handle(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- struct{}{}
	})
	c.expectCode("/page", "upstream_unreachable")
	testGatewayTimeout(c)
	receive(c.t, "the end of the request at the origin", ended)
}

func testAnswerStops(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, "part")
		flush(w)
		<-r.Context().Done()
	})
	c.expectCode("/page", "upstream_unreachable")
	if body, err := io.ReadAll(c.get("/page").Body); err == nil || string(body) != "part" {
		c.t.Errorf("got body %q, error %v; want \"part\" and an error", body, err)
	}
}

// testNoContinue uses an application that ignores Expect: it waits for the body
// without asking for it.
func testNoContinue(c *cell) {
	const text = "the body!"
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack() // else net/http sends 100 Continue
		if err != nil {
			c.t.Error(err)
			return
		}
		defer conn.Close()
		body := make([]byte, len(text))
		if _, err := io.ReadFull(rw, body); err != nil {
			c.t.Errorf("read the body at the origin: %v", err)
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})

	r := c.newRequest("PUT", "/page", io.NopCloser(strings.NewReader(text)))
	r.ContentLength = int64(len(text))
	r.Header.Set("Expect", "100-continue")
	c.agent.Do(r).Want(c.t, 200, text)
}

// testEndlessExchange has an answer that never ends and never pauses for long.
func testEndlessExchange(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			if _, err := w.Write([]byte(".")); err != nil {
				return
			}
			flush(w)
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
	c.expectCode("/page", "upstream_unreachable")
	if body, err := io.ReadAll(c.get("/page").Body); err == nil || len(body) < 20 {
		c.t.Errorf("got %d bytes, error %v; want at least 20 and an error", len(body), err)
	}
}
