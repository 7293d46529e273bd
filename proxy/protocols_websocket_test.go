package proxy

import (
	"context"
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

// dialWebSocket opens a WebSocket with a borrowed cookie and API key.
func (p *protocolTest) dialWebSocket(path string) *websocket.Conn {
	p.t.Helper()
	transport := p.agent.Transport
	if p.from == "h2" {
		transport = websockettest.ExtendedConnect{Dial: func() net.Conn { return p.openTLS() }}
	}
	header := http.Header{"Cookie": {"sid=" + canaryHuman}, "X-Api-Key": {canaryHuman}}
	ws, _, err := websockettest.Dial("https://example.com"+path, transport, header)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { ws.CloseNow() })
	return ws
}

func TestI6WebSocketEndsWithTask(t *testing.T) {
	appEnded := make(chan error, 1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		ws, err := websockettest.Accept(w, r)
		if err != nil {
			t.Errorf("accept the WebSocket at the application: %v", err)
			return
		}
		defer ws.CloseNow()
		_, _, err = ws.Read(context.Background())
		appEnded <- err
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		ws := p.dialWebSocket("/socket")
		agentEnded := make(chan error, 1)
		go func() {
			_, _, err := ws.Read(context.Background())
			agentEnded <- err
		}()

		began := time.Now()
		if _, err := p.EndTask(p.task.ID(), "revoked"); err != nil {
			p.t.Fatal(err)
		}
		if receive(p.t, "the end of the WebSocket for the agent", agentEnded) == nil {
			p.t.Error("the agent read a message after its task ended, want an error")
		}
		if receive(p.t, "the end of the WebSocket at the application", appEnded) == nil {
			p.t.Error("the application read a message after the task ended, want an error")
		}
		if d := time.Since(began); d > time.Second {
			p.t.Errorf("I6: the WebSocket ended %v after its task, want at most a second", d)
		}
		if o := p.readPathRecords("outcome"); len(o) != 1 || o[0].Code != string(TaskEnded) {
			p.t.Errorf("the outcomes are %+v, want one with code %s", o, TaskEnded)
		}
	})
}

// TestSwitchIsOneWrite reads the whole 101 from one TLS record, as agents need
// that do not read further before they switch protocols. Bytes that both sides
// send with the head are not lost.
func TestSwitchIsOneWrite(t *testing.T) {
	const (
		fromApp      = "\x81\x02hi"
		emptyFromApp = "\x81\x00"
		fromAgent    = "\x81\x80\x00\x00\x00\x00"
	)
	p := newProtocolTest(t, "h1", "h1", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
			websockettest.AcceptKey(r.Header.Get("Sec-WebSocket-Key")), fromApp)
		frame := make([]byte, 6) // with the masking key that Byline chose
		if _, err := io.ReadFull(conn, frame); err != nil || frame[0] != 0x81 || frame[1] != 0x80 {
			t.Errorf("the application received %x, error %v; want an empty text message that is masked", frame, err)
		}
		_, _ = io.WriteString(conn, emptyFromApp)
	}, protocolOptions{})

	conn := p.openTLS()
	var sender sync.WaitGroup
	sender.Go(func() {
		fmt.Fprint(conn, "GET /socket HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"+fromAgent)
	})
	defer sender.Wait()

	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	head := string(buf[:n])
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.HasSuffix(head, "\r\n\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket\r\n") {
		t.Fatalf("the first read got %q, error %v; want a whole 101 with Upgrade: websocket", head, err)
	}
	rest := make([]byte, len(fromApp+emptyFromApp))
	if _, err := io.ReadFull(conn, rest); err != nil || string(rest) != fromApp+emptyFromApp {
		t.Errorf("after the 101: got %q, error %v; want %q", rest, err, fromApp+emptyFromApp)
	}
}
