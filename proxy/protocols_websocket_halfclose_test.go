package proxy

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// raw is one side of a WebSocket's stream of bytes, whichever protocol carries it.
type raw struct {
	io.Reader
	io.Writer
	end func() error // this side's direction
}

// rawOpen opens a WebSocket and reads no frames.
func (w *wires) rawOpen(path string) raw {
	w.t.Helper()
	const handshake = "Host: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Version: 13\r\nCookie: sid=" + canaryHuman + "\r\n\r\n"
	switch w.from {
	case "plain":
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		password, _ := w.proxy.User.Password()
		fmt.Fprintf(conn, "GET http://example.com%s HTTP/1.1\r\nProxy-Authorization: Basic %s\r\n"+handshake, path,
			base64.StdEncoding.EncodeToString([]byte(w.proxy.User.Username()+":"+password)))
		return w.switched(conn, conn.(*net.TCPConn).CloseWrite)
	case "h1":
		conn := w.secured()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n"+handshake, path)
		return w.switched(conn, conn.CloseWrite)
	}
	conn := w.secured()
	cc, err := (&http2.Transport{}).NewClientConn(conn)
	if err != nil {
		w.t.Fatal(err)
	}
	body, up := io.Pipe()
	r := w.request(http.MethodConnect, path)
	r.Body, r.ContentLength = body, -1
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set("Sec-WebSocket-Version", "13")
	resp, err := cc.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%v %v", resp, err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return raw{resp.Body, up, up.Close}
}

// flushed sends at once what is written.
type flushed struct{ http.ResponseWriter }

func (f flushed) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	f.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

// switched reads the 101.
func (w *wires) switched(conn net.Conn, end func() error) raw {
	w.t.Helper()
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Byline-Record") == "" {
		w.t.Fatalf("%+v %v", resp, err)
	}
	return raw{in, conn, end}
}

// rawAccept is the SaaS's side. Over HTTP/2 its handler cannot end one direction
// and go on in the other.
func rawAccept(t *testing.T, w http.ResponseWriter, r *http.Request) raw {
	if r.ProtoMajor == 2 {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		return raw{r.Body, flushed{w}, nil}
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return raw{strings.NewReader(""), io.Discard, nil}
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r))
	return raw{buf, conn, conn.(interface{ CloseWrite() error }).CloseWrite}
}

// TestTheTwoDirectionsOfAWebSocketEndOneByOne: the end of one is passed on as
// such, and the other goes on until it ends too.
func TestTheTwoDirectionsOfAWebSocketEndOneByOne(t *testing.T) {
	heard := make(chan string, 1)
	saas := func(w http.ResponseWriter, r *http.Request) {
		c := rawAccept(t, w, r)
		if r.URL.Path == "/saas-ends" {
			io.WriteString(c, "\x81\x05first")
			if err := c.end(); err != nil {
				t.Error(err)
			}
			b, err := io.ReadAll(c)
			heard <- fmt.Sprintf("%q %v", b, err)
			return
		}
		b, err := io.ReadAll(c)
		heard <- fmt.Sprintf("%q %v", b, err)
		for range 3 { // only now does it say anything
			io.WriteString(c, "\x81\x04last")
		}
		if c.end != nil {
			_ = c.end()
		}
	}
	test := func(w *wires) {
		c := w.rawOpen("/agent-ends")
		io.WriteString(c, "\x81\x85\x00\x00\x00\x00hello")
		if err := c.end(); err != nil {
			w.t.Fatal(err)
		}
		if got := within(w.t, "the agent's end at the SaaS", heard); got != `"\x81\x85\x00\x00\x00\x00hello" <nil>` {
			w.t.Errorf("the SaaS got %s", got)
		}
		if b, err := io.ReadAll(c); string(b) != strings.Repeat("\x81\x04last", 3) || err != nil {
			w.t.Errorf("the agent got %q %v", b, err)
		}
		if w.to == "h1" {
			c = w.rawOpen("/saas-ends")
			if b, err := io.ReadAll(c); string(b) != "\x81\x05first" || err != nil {
				w.t.Errorf("the agent got %q %v", b, err)
			}
			for range 3 {
				io.WriteString(c, "\x81\x84\x00\x00\x00\x00more")
			}
			if err := c.end(); err != nil {
				w.t.Fatal(err)
			}
			if got := within(w.t, "the end at the SaaS", heard); got != fmt.Sprintf("%q <nil>", strings.Repeat("\x81\x84\x00\x00\x00\x00more", 3)) {
				w.t.Errorf("the SaaS got %s", got)
			}
		}
		for _, o := range w.records("outcome") {
			if o.Code != "" || o.Path == "/saas-ends" && (o.MessagesUp != 3 || o.MessagesDown != 1) || o.Path == "/agent-ends" && (o.MessagesUp != 1 || o.MessagesDown != 3) {
				w.t.Errorf("on record: %s code %q, messages %d up %d down", o.Path, o.Code, o.MessagesUp, o.MessagesDown)
			}
		}
	}
	overWires(t, saas, test)
	for _, to := range []string{"h1", "h2"} { // in absolute form, without a tunnel
		t.Run("plain to "+to, func(t *testing.T) { test(newWires(t, "plain", to, saas, nil)) })
	}
}

// TestI6APlainWebSocketEndsWithItsTask: the connection is another parser's, and is
// cut all the same; an agent that goes away ends its own.
func TestI6APlainWebSocketEndsWithItsTask(t *testing.T) {
	for _, end := range []string{"agent", "task"} {
		t.Run("the "+end+" ends", func(t *testing.T) {
			gone := make(chan error, 1)
			w := newWires(t, "plain", "h1", func(w http.ResponseWriter, r *http.Request) {
				c := rawAccept(t, w, r)
				_, err := io.ReadAll(c)
				_ = c.end()
				gone <- err
			}, nil)
			c := w.rawOpen("/socket")
			began, want := time.Now(), ""
			if end == "agent" {
				_ = c.Writer.(net.Conn).Close()
			} else if _, err := w.EndTask(w.task.ID(), "revoked"); err != nil {
				t.Fatal(err)
			} else {
				want = string(TaskEnded)
				_, _ = io.ReadAll(c)
			}
			within(t, "the SaaS's end", gone)
			if d := time.Since(began); end == "task" && d > time.Second { // I6 is a promise about time
				t.Errorf("it took %v", d)
			}
			for _, o := range w.records("outcome") {
				if o.Status != 101 || o.Code != want {
					t.Errorf("on record: %d code %q, want %q", o.Status, o.Code, want)
				}
			}
		})
	}
}
