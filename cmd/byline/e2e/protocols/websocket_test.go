package protocols

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
	"github.com/byline-proxy/byline/proxy/audit"
)

func TestSockets(t *testing.T) {
	m := open(t, "", 5) // of which each cell takes one for a task that it ends
	m.keeps(
		promise{name: "I2 it opens with our session, and its messages are counted", test: echoed},
		promise{name: "the switch comes in one piece", from: "h1", test: switchesAtOnce},
		promise{name: "a refusal is passed on", test: refusedSocket},
		promise{name: "its end reaches the other side", test: socketEnds},
		promise{name: "I6 it ends within a second of its task", test: socketEndsWithTask},
	)
}

// dial opens a WebSocket as the agent does: with what a person lent to it.
func (c *cell) dial(path string) (*websocket.Conn, *http.Response, error) {
	var way http.RoundTripper = c.agent.Transport()
	if c.from == "h2" {
		way = websockettest.Connector{Secured: func() net.Conn { return c.secured() }}
	}
	w, a, err := websockettest.Dial(c.url(path), way, http.Header{"Cookie": {"sid=" + c.lent.Value}, "X-Api-Key": {c.lent.Value}})
	if w != nil {
		c.t.Cleanup(func() { w.CloseNow() })
	}
	return w, a, err
}

// accepts is the origin's side: then speaks until it returns.
func (c *cell) accepts(then func(ctx context.Context, w *websocket.Conn, path string)) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/refused") {
			http.Error(w, "not you", http.StatusForbidden)
			return
		}
		s, err := websockettest.Accept(w, r)
		if err != nil {
			c.t.Errorf("accept: %v", err)
			return
		}
		defer s.CloseNow()
		then(r.Context(), s, r.URL.Path[strings.LastIndex(r.URL.Path, "/"):])
	})
}

func echoed(c *cell) {
	c.accepts(func(ctx context.Context, w *websocket.Conn, _ string) {
		for {
			kind, b, err := w.Read(ctx)
			if err != nil || w.Write(ctx, kind, b) != nil {
				return
			}
			if string(b) == "twice" {
				_ = w.Write(ctx, kind, b)
			}
		}
	})
	w, a, err := c.dial("/socket")
	if err != nil {
		c.t.Fatal(err)
	}
	if w.Subprotocol() != websockettest.Subprotocol || a.Header.Get("Set-Cookie") != "" {
		c.t.Errorf("subprotocol %q, header %v", w.Subprotocol(), a.Header)
	}
	for _, say := range []struct {
		kind  websocket.MessageType
		text  string
		comes int
	}{
		{websocket.MessageText, "hello", 1},
		{websocket.MessageBinary, strings.Repeat("\x00\x81", 1<<19), 1},
		{websocket.MessageText, "", 1},
		{websocket.MessageText, "twice", 2},
	} {
		if err := w.Write(given(c.t), say.kind, []byte(say.text)); err != nil {
			c.t.Fatal(err)
		}
		for range say.comes {
			if kind, b, err := w.Read(given(c.t)); err != nil || kind != say.kind || string(b) != say.text {
				c.t.Fatalf("%d bytes came back as %v with %d: %v", len(say.text), kind, len(b), err)
			}
		}
	}
	if err := w.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		c.t.Errorf("the closing handshake: %v", err)
	}
	if o := c.outcome(a); o.Status != 101 || o.MessagesUp != 4 || o.MessagesDown != 5 || o.BytesUp < 20 || o.BytesDown < 20 || o.Code != "" {
		c.t.Errorf("on record: status %d, messages %d up %d down, bytes %d up %d down, code %q", o.Status, o.MessagesUp, o.MessagesDown, o.BytesUp, o.BytesDown, o.Code)
	}
}

// outcome is what byline audit show has about an answer that named its record,
// once it is over.
func (c *cell) outcome(a *http.Response) (o audit.Record) {
	c.t.Helper()
	testenv.WaitUntil(c.t, "the outcome is on record", func() bool {
		var story audit.RelatedRecords
		c.BylineJSON(&story, "audit", "show", a.Header.Get("Byline-Record"))
		if story.Outcome != nil {
			o = *story.Outcome
		}
		return story.Outcome != nil
	})
	return o
}

// switchesAtOnce: one record of TLS holds the whole 101, for agents that read no
// further before they switch.
func switchesAtOnce(c *cell) {
	c.ends("/socket", "?") // it ends without a farewell
	c.accepts(func(ctx context.Context, w *websocket.Conn, _ string) { _, _, _ = w.Read(ctx) })
	conn := c.secured()
	c.raw(conn, "GET", "/socket", "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	head := string(b[:n])
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.HasSuffix(head, "\r\n\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket\r\n") {
		c.t.Errorf("%q %v", head, err)
	}
	conn.Close()
}

func refusedSocket(c *cell) {
	c.accepts(nil)
	if _, a, err := c.dial("/refused"); err == nil || a == nil || a.StatusCode != http.StatusForbidden {
		c.t.Errorf("%v %v", a, err)
	}
}

func socketEnds(c *cell) {
	gone := make(chan error, 1)
	c.accepts(func(ctx context.Context, w *websocket.Conn, path string) {
		switch path {
		case "/closes":
			_ = w.Close(4001, "enough")
		case "/waits":
			_, _, err := w.Read(ctx)
			gone <- err
		}
	})
	for path, code := range map[string]websocket.StatusCode{"/closes": 4001, "/breaks": -1} {
		w, _, err := c.dial(path)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, _, err = w.Read(given(c.t)); websocket.CloseStatus(err) != code {
			c.t.Errorf("%s: the origin's end arrived as %v", path, err)
		}
	}
	c.ends("/waits", "?") // which of the two connections ends first is chance
	w, _, err := c.dial("/waits")
	if err != nil {
		c.t.Fatal(err)
	}
	_ = w.CloseNow()
	if within(c.t, "the origin's end", gone) == nil {
		c.t.Error("the origin was told nothing")
	}
}

func socketEndsWithTask(c *cell) {
	c = c.alone()
	c.ends("/socket", "task_ended")
	gone := make(chan error, 1)
	c.accepts(func(_ context.Context, w *websocket.Conn, _ string) {
		_, _, err := w.Read(context.Background())
		gone <- err
	})
	w, a, err := c.dial("/socket")
	if err != nil {
		c.t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, _, err := w.Read(context.Background())
		read <- err
	}()
	c.EndTask(c.task)
	over := time.Now()
	if within(c.t, "the agent's end", read) == nil || within(c.t, "the origin's end", gone) == nil {
		c.t.Error("the WebSocket goes on after its task")
	}
	if d := time.Since(over); d > time.Second { // I6 is a promise about time
		c.t.Errorf("it took %v", d)
	}
	if o := c.outcome(a); o.Code != "task_ended" {
		c.t.Errorf("on record: %+v", o)
	}
}
