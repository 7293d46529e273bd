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
	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest/frames"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
)

const messageActions = `
  - {name: page.plain, match: {method: [GET, HEAD], path: "/plain/**"}, resource: "page/1"}
  - name: page.watch
    match: {method: GET, path: "/page/{id}/socket"}
    resource: "page/{id}"
    websocket: true
    messages:
      - {name: page.ping, match: {text: ping}, resource: "page/{id}"}
      - {name: page.move, match: {json: {do: move, page: "{page}"}, only: [to]}, resource: "page/{page}"}
      - {name: page.drop, privileged: true, match: {json: {do: drop, page: "{page}"}}, resource: "page/{page}"}
      - {name: page.blob, binary: true, resource: "page/{id}"}
`

// messageTest is a protocolTest whose adapter names messages. The application
// keeps what it receives, and answers each message with it.
type messageTest struct {
	*protocolTest
	mu       sync.Mutex
	received []string
}

func newMessageTest(t *testing.T, from, to string, change ...func(*Options)) *messageTest {
	t.Helper()
	m := &messageTest{}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if extensions := r.Header.Get("Sec-WebSocket-Extensions"); extensions != "" {
			t.Errorf("the application received Sec-WebSocket-Extensions: %s", extensions)
		}
		ws, err := websockettest.Accept(w, r)
		if err != nil {
			t.Errorf("accept the WebSocket at the application: %v", err)
			return
		}
		defer ws.CloseNow()
		for {
			kind, b, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			if len(b) > 1<<20-4 {
				b = b[:1<<20-4] // so that the answer is within the bound
			}
			m.mu.Lock()
			m.received = append(m.received, string(b))
			m.mu.Unlock()
			_ = ws.Write(context.Background(), kind, append([]byte("got "), b...))
		}
	}
	m.protocolTest = newProtocolTest(t, from, to, handler, protocolOptions{changeServer: func(o *Options) {
		o.Wire.MaxMessage = 1 << 20
		for _, c := range change {
			c(o)
		}
	}, actions: messageActions})
	return m
}

// all returns what the application has received.
func (m *messageTest) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.received...)
}

// send sends a message and returns the answer, or the status and the reason of the close frame that came instead.
func (m *messageTest) send(ws *websocket.Conn, kind websocket.MessageType, text string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := ws.Write(ctx, kind, []byte(text)); err != nil {
		m.t.Fatal(err)
	}
	_, b, err := ws.Read(ctx)
	if err == nil {
		return string(b)
	}
	var closed websocket.CloseError
	if !asCloseError(err, &closed) {
		m.t.Fatalf("sent %q, got %v; want an answer or a close frame", text, err)
	}
	reason, _, _ := strings.Cut(closed.Reason, ", record ")
	return fmt.Sprintf("%d %s", closed.Code, reason)
}

func asCloseError(err error, target *websocket.CloseError) bool {
	status := websocket.CloseStatus(err)
	if status == -1 {
		return false
	}
	for err != nil {
		if c, ok := err.(websocket.CloseError); ok {
			*target = c
			return true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

// TestI3MessagesAreDecidedAndOnRecord sends messages that the adapter names, each
// of which is decided as a request is, with its intent before it arrives.
func TestI3MessagesAreDecidedAndOnRecord(t *testing.T) {
	for _, from := range []string{"h1", "h2"} {
		for _, to := range []string{"h1", "h2"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				m := newMessageTest(t, from, to)
				ws := m.dialWebSocket("/page/1/socket")
				for _, c := range []struct {
					kind       websocket.MessageType
					text, want string
				}{
					{websocket.MessageText, "ping", "got ping"},
					{websocket.MessageText, `{ "do": "m\u006fve", "page": "2", "to": "ä" }`, `got {"do":"move","page":"2","to":"\u00e4"}`},
					{websocket.MessageBinary, "\x00\xff", "got \x00\xff"},
				} {
					if got := m.send(ws, c.kind, c.text); got != c.want {
						t.Errorf("sent %q, got %q, want %q", c.text, got, c.want)
					}
				}
				_ = ws.Close(websocket.StatusNormalClosure, "bye")

				for text, want := range map[string]string{
					`{"do":"move","page":"3"}`:                          "1008 out_of_scope",
					`{"do":"drop","page":"1"}`:                          "1008 out_of_scope", // privileged, under a wildcard
					`{"do":"sing"}`:                                     "1008 action_unclassified",
					`{"do":"move","page":"1","do":"drop"}`:              "1008 ambiguous_request",
					`{"do":"move","page":"1","to":"Bearer abcdef0123"}`: "1008 credential_in_message",
				} {
					ws := m.dialWebSocket("/page/1/socket")
					if got := m.send(ws, websocket.MessageText, text); got != want {
						t.Errorf("sent %q, got %q, want %q", text, got, want)
					}
				}
				if got := m.all(); len(got) != 3 {
					t.Errorf("the application received %q, want three messages", got)
				}
				checkMessageRecords(t, m.readRecords(t, ""))
			})
		}
	}
}

func checkMessageRecords(t *testing.T, all []audit.Record) {
	t.Helper()
	var intents, outcomes, refusals []string
	ids := map[string]bool{}
	for _, r := range all {
		if r.Method != messageMethod {
			continue
		}
		if !strings.HasPrefix(r.Detail, "message on the WebSocket of r_") || r.Account == "" || r.Lease == "" || r.Agent != "agent/triage" || r.AdapterDigest == "" {
			t.Errorf("the record lacks who acts for whom: %+v", r)
		}
		switch r.Kind {
		case "intent":
			ids[r.ID] = true
			intents = append(intents, r.Action+" "+r.Resource)
		case "outcome":
			if !ids[r.Intent] || r.Status != 101 || r.Code != "" || r.BytesUp == 0 {
				t.Errorf("the outcome does not follow its intent: %+v", r)
			}
			outcomes = append(outcomes, r.Action+" "+r.Resource)
		case "refusal":
			refusals = append(refusals, r.Code)
			if r.Code == string(MessageCredential) && (len(r.Stripped) != 1 || r.Stripped[0].Name != "to" || r.Stripped[0].In != "message") {
				t.Errorf("the refusal does not name the credential: %+v", r.Stripped)
			}
		}
	}
	want := "[page.ping page/1 page.move page/2 page.blob page/1]"
	if fmt.Sprint(intents) != want || fmt.Sprint(outcomes) != want {
		t.Errorf("intents %v and outcomes %v, want both %s", intents, outcomes, want)
	}
	if len(refusals) != 5 {
		t.Errorf("refusals %v, want five", refusals)
	}

	var ended []string
	for _, r := range all {
		if r.Kind == "outcome" && r.Method == "GET" {
			ended = append(ended, r.Code)
		}
	}
	if len(ended) != 6 || strings.Count(strings.Join(ended, " "), "out_of_scope") != 2 {
		t.Errorf("the WebSockets ended with %q, want six, two with out_of_scope", ended)
	}
}

// TestI7WebSocketsAreOptedInto asks for WebSockets where no action opens one.
func TestI7WebSocketsAreOptedInto(t *testing.T) {
	for _, from := range []string{"h1", "h2"} {
		t.Run(from, func(t *testing.T) {
			m := newMessageTest(t, from, "h1")
			transport := m.agent.Transport
			if from == "h2" {
				transport = websockettest.ExtendedConnect{Dial: func() net.Conn { return m.openTLS() }}
			}
			_, resp, err := websockettest.Dial("https://example.com/plain/1", transport, nil)
			if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
				t.Fatalf("got %v, error %v; want 403", resp, err)
			}
			b, _ := io.ReadAll(resp.Body)
			if !hasCode(string(b), WebSocketNotNamed) || !strings.Contains(string(b), "websocket: true") {
				t.Errorf("the refusal is %s", b)
			}
		})
	}
}

// TestI7ExtensionsAreRefused has the application answer with an extension that nobody offered.
func TestI7ExtensionsAreRefused(t *testing.T) {
	p := newProtocolTest(t, "h1", "h1", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			websockettest.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
	}, protocolOptions{})
	_, resp, err := websockettest.Dial("https://example.com/socket", p.agent.Transport, nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusBadGateway {
		t.Errorf("got %v, error %v; want 502", resp, err)
	}
}

// TestI1MessagesAreMasked has the application send the session in every kind of
// message and frame (CASES R26).
func TestI1MessagesAreMasked(t *testing.T) {
	half := len(canarySession) / 2
	app := []frames.Frame{
		{First: 0x81, Payload: []byte("cookie: sid=" + canarySession)},
		{First: 0x81, Payload: []byte(`{"sid":"` + canarySession + `"}`)},
		{First: 0x01, Payload: []byte("in two: " + canarySession[:half])},
		{First: 0x89, Payload: []byte(canarySession)},
		{First: 0x80, Payload: []byte(canarySession[half:] + " end")},
		{First: 0x82, Payload: []byte("\x00\xff" + canarySession + "\x00")},
		{First: 0x8a, Payload: []byte(canarySession)},
		{First: 0x88, Payload: []byte("\x03\xe8" + canarySession)},
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		c := acceptByteStream(t, w, r)
		for _, f := range app {
			_, _ = c.Write(f.Append(nil))
		}
		_, _ = io.ReadAll(c)
	}
	for _, from := range []string{"h1", "h2", absoluteForm} {
		for _, to := range []string{"h1", "h2"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				p := newProtocolTest(t, from, to, handler, protocolOptions{})
				c := p.openByteStream("/socket")
				want := 7 // the two fragments are one
				var b []byte
				buf := make([]byte, 4096)
				var got []frames.Frame
				for len(got) < want {
					n, err := c.Read(buf)
					b = append(b, buf[:n]...)
					for len(b) > 0 {
						f, rest, err := frames.ReadFrame(b)
						if err != nil {
							break
						}
						got, b = append(got, f), rest
					}
					if err != nil && len(got) < want {
						t.Fatalf("got %d frames and %v, want %d", len(got), err, want)
					}
				}
				_ = c.closeWrite()
				for _, f := range got {
					if strings.Contains(string(f.Payload), canarySession[:half]) || strings.Contains(string(f.Payload), canarySession[half:]) {
						t.Errorf("I1: the agent received %x %q", f.First, f.Payload)
					}
					if f.First&0x80 == 0 || f.Masked {
						t.Errorf("the agent received a frame that is not whole, or masked: %x", f.First)
					}
				}
			})
		}
	}
}

// TestMessagesOverTheBoundCloseTheWebSocket sends messages that are too large, in
// either direction.
func TestMessagesOverTheBoundCloseTheWebSocket(t *testing.T) {
	p := newProtocolTest(t, "h1", "h1", func(w http.ResponseWriter, r *http.Request) {
		ws, err := websockettest.Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		if r.URL.Path == "/large" {
			_ = ws.Write(context.Background(), websocket.MessageText, make([]byte, 1<<20+1))
		}
		_, _, _ = ws.Read(context.Background())
	}, protocolOptions{changeServer: func(o *Options) { o.Wire.MaxMessage = 1 << 20 }})

	for _, path := range []string{"/large", "/socket"} {
		ws := p.dialWebSocket(path)
		if path == "/socket" {
			_ = ws.Write(context.Background(), websocket.MessageText, []byte(strings.Repeat("x", 1<<20+1)))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, _, err := ws.Read(ctx)
		cancel()
		if websocket.CloseStatus(err) != 1009 {
			t.Errorf("%s: the WebSocket ended with %v, want status 1009", path, err)
		}
	}
}

// TestI6MessagesFollowTheRulesInForce has a policy forbid a message on a WebSocket
// that was opened before the policy came.
func TestI6MessagesFollowTheRulesInForce(t *testing.T) {
	m := newMessageTest(t, "h1", "h1")
	ws := m.dialWebSocket("/page/1/socket")
	if got := m.send(ws, websocket.MessageText, `{"do":"move","page":"2"}`); !strings.HasPrefix(got, "got ") {
		t.Fatalf("got %q, want an answer", got)
	}

	forbid, err := policy.Parse([]policy.File{{Name: "stop.cedar", Text: []byte(`forbid (principal, action == Action::"legacy:page.move", resource);`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Reload(Rules{Adapters: m.rules.Load().adapters, Policy: forbid}); err != nil {
		t.Fatal(err)
	}
	if got := m.send(ws, websocket.MessageText, `{"do":"move","page":"2"}`); got != "1008 policy_denied" {
		t.Errorf("after the policy came: got %q, want 1008 policy_denied", got)
	}
}

// TestI10LargeMessagesHaveABudget begins a large message and does not end it: a second
// one waits for its room, and its WebSocket is closed in the end, while small messages
// still pass. Once the first is complete there is room again.
func TestI10LargeMessagesHaveABudget(t *testing.T) {
	m := newMessageTest(t, "h1", "h1", func(o *Options) { o.Wire.MaxTaskHeldBytes, o.Wire.MaxHeldBytes = 4<<20, 32<<20 })
	m.budget.wait = 300 * time.Millisecond

	stalled := m.openByteStream("/page/1/socket")
	whole := frames.Frame{First: 0x82, Masked: true, Payload: make([]byte, 1<<20)}.Append(nil)
	_, _ = stalled.Write(whole[:100])
	held := func() int64 {
		m.budget.mu.Lock()
		defer m.budget.mu.Unlock()
		return m.budget.held
	}
	for deadline := time.Now().Add(10 * time.Second); held() < 2<<20; {
		if time.Now().After(deadline) {
			t.Fatalf("the budget holds %d bytes, want at least those of the message", held())
		}
		time.Sleep(time.Millisecond)
	}

	second := m.dialWebSocket("/page/1/socket")
	if got := m.send(second, websocket.MessageText, "ping"); got != "got ping" {
		t.Errorf("a small message got %q", got)
	}
	if got := m.send(second, websocket.MessageBinary, string(make([]byte, 1<<20))); got != "1013 over_budget" {
		t.Errorf("a second large message got %q, want 1013 over_budget", got)
	}

	_, _ = stalled.Write(whole[100:])
	b := make([]byte, 1<<20)
	if _, err := io.ReadFull(stalled, b); err != nil {
		t.Fatal(err)
	}
	third := m.dialWebSocket("/page/1/socket")
	if got := m.send(third, websocket.MessageBinary, string(make([]byte, 1<<20-4))); !strings.HasPrefix(got, "got ") {
		t.Errorf("after the first message was complete, a large one got %.60q", got)
	}
}

// TestI1AMessageWithASecretOfTheAccountEndsTheTask sends the account's password in
// messages of every kind. Their masked answers would show which candidate is right.
func TestI1AMessageWithASecretOfTheAccountEndsTheTask(t *testing.T) {
	half := len(canaryPassword) / 2
	for name, sent := range map[string][]frames.Frame{
		"text":   {{First: 0x81, Masked: true, Payload: []byte("is it " + canaryPassword + "?")}},
		"JSON":   {{First: 0x81, Masked: true, Payload: []byte(`{"do":"move","page":"1","to":"\u0063` + canaryPassword[1:] + `"}`)}},
		"binary": {{First: 0x82, Masked: true, Payload: []byte("\x00" + canaryPassword + "\xff")}},
		"ping":   {{First: 0x89, Masked: true, Payload: []byte(canaryPassword)}},
		"close":  {{First: 0x88, Masked: true, Payload: []byte("\x03\xe8" + canaryPassword)}},
		"fragments": {
			{First: 0x01, Masked: true, Payload: []byte(canaryPassword[:half])},
			{First: 0x80, Masked: true, Payload: []byte(canaryPassword[half:])},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMessageTest(t, "h1", "h1")
			c := m.openByteStream("/page/1/socket")
			for _, f := range sent {
				_, _ = c.Write(f.Append(nil))
			}
			b, _ := io.ReadAll(c)
			f, _, err := frames.ReadFrame(b)
			if err != nil || f.First != 0x88 || !strings.HasPrefix(string(f.Payload), "\x03\xf0secret_in_request, record r_") || strings.Contains(string(b), canaryPassword) {
				t.Errorf("the agent received %q, want a close frame with 1008 and secret_in_request", b)
			}
			if got := m.all(); len(got) > 0 {
				t.Errorf("the application received %q", got)
			}
			for deadline := time.Now().Add(5 * time.Second); m.Server.task(m.task.ID()).Active() == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the task goes on")
				}
			}
			alerts := 0
			for _, r := range m.readRecords(t, "alert") {
				if r.Code == string(SecretInRequest) {
					alerts++
				}
			}
			if alerts != 1 {
				t.Errorf("%d alerts on record, want one", alerts)
			}
		})
	}
}
