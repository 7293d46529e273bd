package protocols

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// impatient makes every wait a short one. A whole exchange may take the longest, so
// that each wait shows before it.
const impatient = `wire:
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
		t.Skip("-short: it waits for seconds")
	}
	m := found(t, impatient)
	mute := accepting(t)
	for _, to := range protocols {
		m.adapter(to, to, m.origin.listens(to, nil), m.trusting(), 3)
		m.adapter("deaf-"+to, to, "https://"+deaf(t, "127.0.0.1:0"), m.trusting(), 1)
		m.adapter("mute-"+to, to, "https://"+mute, m.trusting(), 1)
	}
	m.begin()
	m.keepsAtOnce(
		promise{name: "an agent's head that stops (head_timeout)", from: "h1", test: headStops},
		promise{name: "an agent's head that stops, in frames (idle_timeout)", from: "h2", test: headStopsInFrames},
		promise{name: "an agent that says nothing in its tunnel (tls_timeout)", test: saysNothing},
		promise{name: "an agent's connection at rest (idle_timeout)", test: agentRests},
		promise{name: "a connection to the application at rest (idle_timeout)", test: applicationRests},
		promise{name: "an agent's body that stops (body_stall)", test: bodyStops},
		promise{name: "an agent that reads nothing (body_stall)", test: readsNothing},
		promise{name: "an application that takes no connection (dial_timeout)", at: "deaf-", test: isRefused(504)},
		promise{name: "one that makes no handshake (tls_timeout)", at: "mute-", test: isRefused(504)},
		promise{name: "one that does not answer (response_head)", test: answersNothing},
		promise{name: "one that stops in its answer (answer_stall)", test: answerStops},
		promise{name: "one that never says 100 (continue_wait)", to: "h1", test: neverContinues},
		promise{name: "an exchange that never ends (exchange_total)", test: neverEnds},
	)
}

// accepting takes connections and leaves it at that.
func accepting(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return l.Addr().String()
}

func headStops(c *cell) {
	conn := c.secured()
	fmt.Fprintf(conn, "GET /%s/x HTTP/1.1\r\nHost: %s\r\nCookie: sid=%s", c.root, c.host, c.lent.Value)
	a, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if b, err := io.ReadAll(a.Body); a.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(b), "ambiguous_request") || err != nil {
		c.t.Errorf("%s %q %v", a.Status, b, err)
	}
}

func headStopsInFrames(c *cell) {
	f := c.frames()
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block("GET", "/x")}); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, f.conn); err != nil { // an acknowledgement would be out of place within a head
		c.t.Errorf("the connection ended with %v", err)
	}
}

func saysNothing(c *cell) {
	if _, err := io.ReadAll(c.tunnel()); err != nil {
		c.t.Errorf("the tunnel ended with %v", err)
	}
}

// agentRests after an exchange, in which nothing was wrong.
func agentRests(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	if c.from == "h2" {
		f := c.frames()
		f.asks(1, "GET", "/page", true)
		if !f.until(func(frame http2.Frame) bool {
			d, ok := frame.(*http2.DataFrame)
			return ok && d.StreamEnded()
		}) {
			c.t.Fatal("no answer")
		}
		f.until(func(http2.Frame) bool { return false })
		return
	}
	conn := c.secured()
	c.raw(conn, "GET", "/page")
	lines := bufio.NewReader(conn)
	a, err := http.ReadResponse(lines, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if b, err := io.ReadAll(a.Body); string(b) != "hello" || err != nil {
		c.t.Errorf("%q %v", b, err)
	}
	if b, err := io.ReadAll(lines); len(b) > 0 || err != nil {
		c.t.Errorf("then came %q, %v", b, err)
	}
}

func applicationRests(c *cell) {
	c = c.alone() // with connections that nobody else keeps busy
	c.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	from := c.agent.Do((c.request("GET", "/page", nil))).Want(c.t, 200, ":").Body
	testenv.WaitUntil(c.t, "the origin sees the end of the connection", func() bool { return c.origin.hangsUp(from) })
}

func bodyStops(c *cell) {
	ended := make(chan error, 1)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	})
	c.ends("/up", "*")
	body, up := io.Pipe()
	defer up.Close()
	go up.Write([]byte("some"))
	a := c.agent.Do((c.request("POST", "/up", body).WithContext(given(c.t))))
	if a.Err != nil || a.Status != http.StatusRequestTimeout || a.Code != "ambiguous_request" {
		c.t.Errorf("status %d, code %q, %v", a.Status, a.Code, a.Err)
	}
	if within(c.t, "the end at the origin", ended) == nil {
		c.t.Error("the body ended as if it were whole")
	}
}

func readsNothing(c *cell) {
	ended := make(chan error, 1)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		piece := make([]byte, 64<<10)
		var err error
		for err == nil {
			_, err = w.Write(piece)
		}
		ended <- err
	})
	c.ends("/down", "*")
	c.doAs(c.agent.WithoutTranscript(), c.request("GET", "/down", nil))
	within(c.t, "the end at the origin", ended)
}

func isRefused(status int) func(*cell) {
	return func(c *cell) {
		a := c.agent.Do((c.request("GET", "/page", nil))).WantRefusal(c.t, "upstream_unreachable")
		if a.Status != status {
			c.t.Errorf("status %d, want %d", a.Status, status)
		}
	}
}

func answersNothing(c *cell) {
	ended := make(chan struct{}, 1)
	c.answers(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- struct{}{}
	})
	c.ends("/page", "upstream_unreachable")
	isRefused(504)(c)
	within(c.t, "the end at the origin", ended)
}

func answerStops(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		fmt.Fprint(w, "part")
		flush(w)
		<-r.Context().Done()
	})
	c.ends("/page", "upstream_unreachable")
	if b, err := io.ReadAll(c.get("/page").Body); err == nil || string(b) != "part" {
		c.t.Errorf("%q and %v, as if it were whole", b, err)
	}
}

// neverContinues is an application that knows nothing of Expect.
func neverContinues(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack() // the library would say 100
		if err != nil {
			c.t.Error(err)
			return
		}
		defer conn.Close()
		b := make([]byte, 9)
		if _, err := io.ReadFull(rw, b); err != nil {
			c.t.Error(err)
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
	})
	r := c.request("PUT", "/page", io.NopCloser(strings.NewReader("the body!")))
	r.ContentLength = 9
	r.Header.Set("Expect", "100-continue")
	c.agent.Do((r)).Want(c.t, 200, "the body!")
}

// neverEnds: it goes on and on, and no pause in it is a long one.
func neverEnds(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
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
	c.ends("/page", "upstream_unreachable")
	a := c.get("/page")
	if b, err := io.ReadAll(a.Body); err == nil || len(b) < 20 {
		c.t.Errorf("%d bytes and %v", len(b), err)
	}
}
