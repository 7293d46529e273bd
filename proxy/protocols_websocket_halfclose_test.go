package proxy

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

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest/frames"
)

// byteStream is one side of a WebSocket's bytes, whichever protocol carries them.
type byteStream struct {
	io.Reader
	io.Writer
	closeWrite func() error // nil if this side cannot end one direction only
}

// Frames of RFC 6455, Section 5.2. Those of the agent have a mask of zeros.
const (
	helloFromAgent = "\x81\x85\x00\x00\x00\x00hello"
	moreFromAgent  = "\x81\x84\x00\x00\x00\x00more"
	firstFromApp   = "\x81\x05first"
	lastFromApp    = "\x81\x04last"
)

// absoluteForm is an agent protocol besides h1 and h2: a request in absolute
// form over plain HTTP, without a tunnel.
const absoluteForm = "absolute form"

// openByteStream opens a WebSocket as the agent without a library.
func (p *protocolTest) openByteStream(path string) byteStream {
	p.t.Helper()
	const fields = "Host: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Version: 13\r\nCookie: sid=" + canaryHuman + "\r\n\r\n"
	switch p.from {
	case absoluteForm:
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "GET http://example.com%s HTTP/1.1\r\nProxy-Authorization: %s\r\n"+fields, path, p.proxyAuthorization())
		return p.readSwitch(conn, conn.(*net.TCPConn).CloseWrite)

	case "h1":
		conn := p.openTLS()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n"+fields, path)
		return p.readSwitch(conn, conn.CloseWrite)

	default:
		return p.openExtendedConnect(path)
	}
}

// readSwitch reads the 101 that follows an upgrade.
func (p *protocolTest) readSwitch(conn net.Conn, closeWrite func() error) byteStream {
	p.t.Helper()
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Byline-Record") == "" {
		p.t.Fatalf("upgrade: got %s, header %v; want 101 and a Byline-Record", resp.Status, resp.Header)
	}
	return byteStream{in, conn, closeWrite}
}

// openExtendedConnect opens a WebSocket over HTTP/2 (RFC 8441).
func (p *protocolTest) openExtendedConnect(path string) byteStream {
	p.t.Helper()
	cc, err := (&http2.Transport{}).NewClientConn(p.openTLS())
	if err != nil {
		p.t.Fatal(err)
	}
	body, up := io.Pipe()
	r := p.newRequest(http.MethodConnect, path, body)
	r.ContentLength = -1
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set("Sec-WebSocket-Version", "13")

	resp, err := cc.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("extended CONNECT: got %s, want 200", resp.Status)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	return byteStream{resp.Body, up, up.Close}
}

// acceptByteStream accepts a WebSocket as the application. A handler of net/http
// over HTTP/2 cannot end its own direction and continue to read.
func acceptByteStream(t *testing.T, w http.ResponseWriter, r *http.Request) byteStream {
	if r.ProtoMajor == 2 {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		return byteStream{r.Body, flushingWriter{w}, nil}
	}

	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return byteStream{strings.NewReader(""), io.Discard, nil}
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		websockettest.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
	return byteStream{buf, conn, conn.(interface{ CloseWrite() error }).CloseWrite}
}

// flushingWriter flushes after every Write.
type flushingWriter struct{ http.ResponseWriter }

func (w flushingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

// TestWebSocketDirectionsEndIndependently ends one direction of a WebSocket. The
// other side sees that end, and the other direction goes on until it ends too.
func TestWebSocketDirectionsEndIndependently(t *testing.T) {
	received := make(chan string, 1)
	receiveAll := func(c byteStream) {
		b, err := io.ReadAll(c)
		b = frames.Unmask(b)
		received <- fmt.Sprintf("%q, error %v", b, err)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		c := acceptByteStream(t, w, r)
		if r.URL.Path == "/app-ends" {
			io.WriteString(c, firstFromApp)
			if err := c.closeWrite(); err != nil {
				t.Error(err)
			}
			receiveAll(c)
			return
		}

		receiveAll(c)
		for range 3 { // after the agent's direction has ended
			io.WriteString(c, lastFromApp)
		}
		if c.closeWrite != nil {
			_ = c.closeWrite()
		}
	}

	test := func(p *protocolTest) {
		checkAgentEndsFirst(p, received)
		if p.to == "h1" {
			checkAppEndsFirst(p, received)
		}
		for _, o := range p.readPathRecords("outcome") {
			up, down := uint64(1), uint64(3)
			if o.Path == "/app-ends" {
				up, down = 3, 1
			}
			if o.Code != "" || uint64(o.MessagesUp) != up || uint64(o.MessagesDown) != down {
				p.t.Errorf("the outcome of %s has code %q, %d messages up and %d down; want no code, %d and %d", o.Path, o.Code, o.MessagesUp, o.MessagesDown, up, down)
			}
		}
	}
	testAllProtocols(t, handler, test)
	for _, to := range []string{"h1", "h2"} {
		t.Run(absoluteForm+" to "+to, func(t *testing.T) { test(newProtocolTest(t, absoluteForm, to, handler, protocolOptions{})) })
	}
}

func checkAgentEndsFirst(p *protocolTest, received <-chan string) {
	p.t.Helper()
	c := p.openByteStream("/agent-ends")
	io.WriteString(c, helloFromAgent)
	if err := c.closeWrite(); err != nil {
		p.t.Fatal(err)
	}
	want := fmt.Sprintf("%q, error %v", helloFromAgent, nil)
	if got := receive(p.t, "the end of the agent's direction at the application", received); got != want {
		p.t.Errorf("the application received %s, want %s", got, want)
	}
	if b, err := io.ReadAll(c); string(b) != strings.Repeat(lastFromApp, 3) || err != nil {
		p.t.Errorf("after the agent's direction ended, the agent received %q, error %v; want %q three times", b, err, lastFromApp)
	}
}

func checkAppEndsFirst(p *protocolTest, received <-chan string) {
	p.t.Helper()
	c := p.openByteStream("/app-ends")
	if b, err := io.ReadAll(c); string(b) != firstFromApp || err != nil {
		p.t.Errorf("the agent received %q, error %v; want %q and the end", b, err, firstFromApp)
	}
	for range 3 { // after the application's direction has ended
		io.WriteString(c, moreFromAgent)
	}
	if err := c.closeWrite(); err != nil {
		p.t.Fatal(err)
	}
	want := fmt.Sprintf("%q, error %v", strings.Repeat(moreFromAgent, 3), nil)
	if got := receive(p.t, "the end of the agent's direction at the application", received); got != want {
		p.t.Errorf("after the application's direction ended, the application received %s, want %s", got, want)
	}
}

// TestI6WebSocketInAbsoluteFormEnds ends a WebSocket that goproxy accepted, by
// the end of its task and by the end of the agent's connection.
func TestI6WebSocketInAbsoluteFormEnds(t *testing.T) {
	for _, by := range []string{"agent", "task"} {
		t.Run("ended by the "+by, func(t *testing.T) {
			appEnded := make(chan error, 1)
			p := newProtocolTest(t, absoluteForm, "h1", func(w http.ResponseWriter, r *http.Request) {
				c := acceptByteStream(t, w, r)
				_, err := io.ReadAll(c)
				_ = c.closeWrite()
				appEnded <- err
			}, protocolOptions{})

			c := p.openByteStream("/socket")
			began, wantCode := time.Now(), ""
			if by == "agent" {
				_ = c.Writer.(net.Conn).Close()
			} else {
				wantCode = string(TaskEnded)
				if _, err := p.EndTask(p.task.ID(), "revoked"); err != nil {
					t.Fatal(err)
				}
				_, _ = io.ReadAll(c)
			}

			receive(t, "the end of the WebSocket at the application", appEnded)
			if d := time.Since(began); by == "task" && d > time.Second {
				t.Errorf("I6: the WebSocket ended %v after its task, want at most a second", d)
			}
			for _, o := range p.readPathRecords("outcome") {
				if o.Status != 101 || o.Code != wantCode {
					t.Errorf("the outcome has status %d and code %q, want 101 and %q", o.Status, o.Code, wantCode)
				}
			}
		})
	}
}
