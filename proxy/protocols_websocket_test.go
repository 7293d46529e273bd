package proxy

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// accept is the SaaS's side of a WebSocket over either protocol.
func accept(t *testing.T, w http.ResponseWriter, r *http.Request) *websocket.Conn {
	c, err := websockettest.Accept(w, r)
	if err != nil {
		t.Errorf("accept: %v", err)
		return nil
	}
	return c
}

// dial opens a WebSocket as an agent does that has borrowed a session.
func (w *wires) dial(path string) (*websocket.Conn, *http.Response, error) {
	way := w.agent.Transport
	if w.from == "h2" {
		way = websockettest.ExtendedConnect{Dial: func() net.Conn { return w.secured() }}
	}
	c, resp, err := websockettest.Dial("https://example.com"+path, way, http.Header{"Cookie": {"sid=" + canaryHuman}, "X-Api-Key": {canaryHuman}})
	if c != nil {
		w.t.Cleanup(func() { c.CloseNow() })
	}
	return c, resp, err
}

func TestI2AWebSocketOpensWithOurSessionAndIsCounted(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		c := accept(t, w, r)
		if c == nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, b); err != nil {
				return
			}
			if string(b) == "twice" {
				_ = c.Write(r.Context(), kind, b)
			}
		}
	}, func(w *wires) {
		c, resp, err := w.dial("/socket")
		if err != nil {
			w.t.Fatal(err)
		}
		if c.Subprotocol() != "chat" || resp.Header.Get("Byline-Record") == "" || resp.Header.Get("Set-Cookie") != "" {
			w.t.Errorf("subprotocol %q, header %v", c.Subprotocol(), resp.Header)
		}
		ctx := context.Background()
		for _, m := range []struct {
			kind  websocket.MessageType
			text  string
			comes int
		}{
			{websocket.MessageText, "hello", 1}, {websocket.MessageBinary, strings.Repeat("\x00\x81", 1<<19), 1},
			{websocket.MessageText, "", 1}, {websocket.MessageText, "twice", 2},
		} {
			if err := c.Write(ctx, m.kind, []byte(m.text)); err != nil {
				w.t.Fatal(err)
			}
			for range m.comes {
				kind, b, err := c.Read(ctx)
				if err != nil || kind != m.kind || string(b) != m.text {
					w.t.Fatalf("%d bytes came back as %v with %d: %v", len(m.text), kind, len(b), err)
				}
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
			w.t.Errorf("the closing handshake: %v", err)
		}
		outcomes := w.records("outcome")
		if len(outcomes) != 1 {
			w.t.Fatalf("%d outcomes", len(outcomes))
		}
		if o := outcomes[0]; o.Status != 101 || o.MessagesUp != 4 || o.MessagesDown != 5 || o.BytesUp < 20 || o.BytesDown < 20 || o.Code != "" {
			w.t.Errorf("on record: status %d, messages %d up %d down, bytes %d up %d down, code %q", o.Status, o.MessagesUp, o.MessagesDown, o.BytesUp, o.BytesDown, o.Code)
		}
	})
}

func TestI6AWebSocketEndsWithItsTask(t *testing.T) {
	gone := make(chan error, 1)
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		c := accept(t, w, r)
		if c == nil {
			return
		}
		defer c.CloseNow()
		_, _, err := c.Read(context.Background())
		gone <- err
	}, func(w *wires) {
		c, _, err := w.dial("/socket")
		if err != nil {
			w.t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, _, err := c.Read(context.Background())
			read <- err
		}()
		began := time.Now()
		if _, err := w.EndTask(w.task.ID(), "revoked"); err != nil {
			w.t.Fatal(err)
		}
		if within(w.t, "the agent's end", read) == nil || within(w.t, "the SaaS's end", gone) == nil {
			w.t.Error("the WebSocket goes on after its task")
		}
		if d := time.Since(began); d > time.Second { // I6 is a promise about time
			w.t.Errorf("it took %v", d)
		}
		if o := w.records("outcome"); len(o) != 1 || o[0].Code != string(TaskEnded) {
			w.t.Errorf("on record: %+v", o)
		}
	})
}

func TestAWebSocketsEndReachesTheOtherSide(t *testing.T) {
	gone := make(chan error, 1)
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused":
			http.Error(w, "not you", http.StatusForbidden)
			return
		}
		c := accept(t, w, r)
		if c == nil {
			return
		}
		defer c.CloseNow()
		switch r.URL.Path {
		case "/closes":
			_ = c.Close(4001, "enough")
		case "/breaks":
		default:
			_, _, err := c.Read(context.Background())
			gone <- err
		}
	}, func(w *wires) {
		if _, resp, err := w.dial("/refused"); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			w.t.Errorf("a refused WebSocket: %v %v", resp, err)
		}
		c, _, err := w.dial("/closes")
		if err != nil {
			w.t.Fatal(err)
		}
		if _, _, err = c.Read(context.Background()); websocket.CloseStatus(err) != 4001 {
			w.t.Errorf("the SaaS's close arrived as %v", err)
		}
		for _, path := range []string{"/breaks", "/waits"} {
			if c, _, err = w.dial(path); err != nil {
				w.t.Fatal(err)
			}
			if path == "/waits" {
				_ = c.CloseNow()
				if within(w.t, "the SaaS's end", gone) == nil {
					w.t.Error("the SaaS was told nothing")
				}
			} else if _, _, err = c.Read(context.Background()); err == nil {
				w.t.Error("the agent was told nothing")
			}
		}
	})
}

// acceptKey is the answer to the key of a handshake (RFC 6455 section 4.2.2).
func acceptKey(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// TestTheSwitchIsOneWrite: one record of TLS holds the whole 101, and what the
// SaaS says at once follows it.
func TestTheSwitchIsOneWrite(t *testing.T) {
	w := newWires(t, "h1", "h1", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi", acceptKey(r))
		_, _ = io.Copy(conn, conn)
	}, nil)
	conn := w.secured()
	var sent sync.WaitGroup
	sent.Go(func() {
		fmt.Fprint(conn, "GET /socket HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x00")
	})
	defer sent.Wait()
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	head := string(buf[:n])
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.HasSuffix(head, "\r\n\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket\r\n") {
		t.Fatalf("%q %v", head, err)
	}
	rest := make([]byte, 6)
	if _, err := io.ReadFull(conn, rest); err != nil || string(rest) != "\x81\x02hi\x81\x00" {
		t.Errorf("then came %q, %v", rest, err)
	}
}
