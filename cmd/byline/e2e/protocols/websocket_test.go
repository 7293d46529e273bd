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

func TestWebSockets(t *testing.T) {
	m := startMatrix(t, "", 5)
	m.run(
		matrixTest{name: "I2 messages are carried in Byline's session and counted", run: testWebSocketMessages},
		matrixTest{name: "the switch of protocols is one write", from: "h1", run: testSwitchInOneWrite},
		matrixTest{name: "a refusal by the application reaches the agent", run: testWebSocketRefused},
		matrixTest{name: "the end of one side reaches the other", run: testWebSocketEnds},
		matrixTest{name: "I6 it ends within a second of its task", run: testWebSocketEndsWithTask},
	)
}

// dialWebSocket opens a WebSocket with the borrowed cookie and an API key.
func (c *cell) dialWebSocket(path string) (*websocket.Conn, *http.Response, error) {
	var transport http.RoundTripper = c.agent.Transport()
	if c.from == "h2" {
		transport = websockettest.ExtendedConnect{Dial: func() net.Conn { return c.openTLS() }}
	}
	header := http.Header{"Cookie": {"sid=" + c.borrowed.Value}, "X-Api-Key": {c.borrowed.Value}}
	ws, resp, err := websockettest.Dial(c.url(path), transport, header)
	if ws != nil {
		c.t.Cleanup(func() { ws.CloseNow() })
	}
	return ws, resp, err
}

// mustDialWebSocket is dialWebSocket for a WebSocket that must open.
func (c *cell) mustDialWebSocket(path string) (*websocket.Conn, *http.Response) {
	c.t.Helper()
	ws, resp, err := c.dialWebSocket(path)
	if err != nil {
		c.t.Fatal(err)
	}
	return ws, resp
}

// handleWebSocket makes the origin accept WebSockets and call serve, with the
// last element of the path. It refuses the path /refused.
func (c *cell) handleWebSocket(serve func(ctx context.Context, ws *websocket.Conn, path string)) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/refused") {
			http.Error(w, "not you", http.StatusForbidden)
			return
		}
		ws, err := websockettest.Accept(w, r)
		if err != nil {
			c.t.Errorf("accept the WebSocket at the origin: %v", err)
			return
		}
		defer ws.CloseNow()
		serve(r.Context(), ws, r.URL.Path[strings.LastIndex(r.URL.Path, "/"):])
	})
}

func testWebSocketMessages(c *cell) {
	c.handleWebSocket(func(ctx context.Context, ws *websocket.Conn, _ string) {
		for {
			kind, message, err := ws.Read(ctx)
			if err != nil {
				return
			}
			if err := ws.Write(ctx, kind, message); err != nil {
				return
			}
			if string(message) == "twice" {
				_ = ws.Write(ctx, kind, message)
			}
		}
	})

	ws, resp := c.mustDialWebSocket("/socket")
	if ws.Subprotocol() != websockettest.Subprotocol {
		c.t.Errorf("the subprotocol is %q, want %q", ws.Subprotocol(), websockettest.Subprotocol)
	}
	if cookie := resp.Header.Get("Set-Cookie"); cookie != "" {
		c.t.Errorf("I1: the agent received Set-Cookie %q", cookie)
	}

	for _, m := range []struct {
		kind    websocket.MessageType
		text    string
		answers int
	}{
		{websocket.MessageText, "hello", 1},
		{websocket.MessageBinary, strings.Repeat("\x00\x81", 1<<19), 1},
		{websocket.MessageText, "", 1},
		{websocket.MessageText, "twice", 2},
	} {
		if err := ws.Write(timeoutContext(c.t), m.kind, []byte(m.text)); err != nil {
			c.t.Fatal(err)
		}
		for range m.answers {
			kind, answer, err := ws.Read(timeoutContext(c.t))
			if err != nil || kind != m.kind || string(answer) != m.text {
				c.t.Fatalf("sent %v with %d bytes, got %v with %d bytes, error %v; want the same back", m.kind, len(m.text), kind, len(answer), err)
			}
		}
	}
	if err := ws.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		c.t.Errorf("the closing handshake: %v", err)
	}

	o := c.waitForOutcome(resp)
	if o.Status != 101 || o.Code != "" || o.MessagesUp != 4 || o.MessagesDown != 5 || o.BytesUp < 20 || o.BytesDown < 20 {
		c.t.Errorf("the outcome has status %d, code %q, messages %d up and %d down, bytes %d up and %d down; want 101, no code, 4 and 5 messages, at least 20 bytes each",
			o.Status, o.Code, o.MessagesUp, o.MessagesDown, o.BytesUp, o.BytesDown)
	}
}

// waitForOutcome returns the outcome that byline audit show prints for the
// record that an answer names.
func (c *cell) waitForOutcome(resp *http.Response) audit.Record {
	c.t.Helper()
	var related audit.RelatedRecords
	testenv.WaitUntil(c.t, "the outcome is on record", func() bool {
		related = audit.RelatedRecords{}
		c.BylineJSON(&related, "audit", "show", resp.Header.Get("Byline-Record"))
		return related.Outcome != nil
	})
	return *related.Outcome
}

// testSwitchInOneWrite reads the whole 101 from one TLS record, as agents need
// that do not read further before they switch protocols.
func testSwitchInOneWrite(c *cell) {
	c.expectCode("/socket", anyOutcome) // the agent closes the connection without a closing handshake
	c.handleWebSocket(func(ctx context.Context, ws *websocket.Conn, _ string) { _, _, _ = ws.Read(ctx) })

	conn := c.openTLS()
	c.writeHead(conn, "GET", "/socket",
		"Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	head := string(buf[:n])
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.HasSuffix(head, "\r\n\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket\r\n") {
		c.t.Errorf("the first read got %q, error %v; want a whole 101 with Upgrade: websocket", head, err)
	}
	conn.Close()
}

func testWebSocketRefused(c *cell) {
	c.handleWebSocket(nil)
	_, resp, err := c.dialWebSocket("/refused")
	if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		c.t.Errorf("got answer %v, error %v; want 403 and an error", resp, err)
	}
}

// testWebSocketEnds ends a WebSocket by a close of the origin, by the end of the
// origin's connection, and by the end of the agent's.
func testWebSocketEnds(c *cell) {
	originEnded := make(chan error, 1)
	c.handleWebSocket(func(ctx context.Context, ws *websocket.Conn, path string) {
		switch path {
		case "/closes":
			_ = ws.Close(4001, "enough")
		case "/waits":
			_, _, err := ws.Read(ctx)
			originEnded <- err
		}
	})

	for path, want := range map[string]websocket.StatusCode{"/closes": 4001, "/breaks": -1} {
		ws, _ := c.mustDialWebSocket(path)
		if _, _, err := ws.Read(timeoutContext(c.t)); websocket.CloseStatus(err) != want {
			c.t.Errorf("%s: the end of the origin's side arrived as %v, want close status %d", path, err, want)
		}
	}

	c.expectCode("/waits", anyOutcome) // depends on which connection ends first
	ws, _ := c.mustDialWebSocket("/waits")
	_ = ws.CloseNow()
	if receive(c.t, "the end of the WebSocket at the origin", originEnded) == nil {
		c.t.Error("the origin read a message after the agent's connection ended, want an error")
	}
}

func testWebSocketEndsWithTask(c *cell) {
	c = c.withOwnTask()
	c.expectCode("/socket", "task_ended")
	originEnded := make(chan error, 1)
	c.handleWebSocket(func(_ context.Context, ws *websocket.Conn, _ string) {
		_, _, err := ws.Read(context.Background())
		originEnded <- err
	})

	ws, resp := c.mustDialWebSocket("/socket")
	agentEnded := make(chan error, 1)
	go func() {
		_, _, err := ws.Read(context.Background())
		agentEnded <- err
	}()
	c.EndTask(c.task)
	ended := time.Now()
	if receive(c.t, "the end of the WebSocket for the agent", agentEnded) == nil {
		c.t.Error("the agent read a message after its task ended, want an error")
	}
	if receive(c.t, "the end of the WebSocket at the origin", originEnded) == nil {
		c.t.Error("the origin read a message after the task ended, want an error")
	}
	if d := time.Since(ended); d > time.Second {
		c.t.Errorf("I6: the WebSocket ended %v after its task, want at most a second", d)
	}
	if o := c.waitForOutcome(resp); o.Code != "task_ended" {
		c.t.Errorf("the outcome has code %q, want task_ended: %+v", o.Code, o)
	}
}
