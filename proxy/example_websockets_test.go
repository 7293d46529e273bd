package proxy

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// websocketTests are applications whose messages say what is done.
var websocketTests = []exampleTest{
	{adapter: "websockets", app: websocketApp, run: runWebSockets},
}

// websocketApp repeats each message.
func websocketApp(a *exampleApp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != canaryPassword {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		ws, err := websockettest.Accept(w, r)
		if err != nil {
			a.t.Errorf("accept the WebSocket at the application: %v", err)
			return
		}
		defer ws.CloseNow()
		for {
			kind, b, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			_ = ws.Write(context.Background(), kind, append([]byte("got "), b...))
		}
	})
}

// runWebSockets sends messages in the protocols of the example. want is what arrives, or
// the code with which the WebSocket is closed.
func runWebSockets(t *testing.T, e *exampleAgent) {
	const (
		graphQL  = "/graphql"
		socketIO = "/socket.io/?EIO=4&transport=websocket"
		signalR  = "/hub?id=abc"
		phoenix  = "/socket/websocket?vsn=2.0.0"
		cable    = "/cable"
		sockJS   = "/sockjs/123/abcdefgh/websocket"
	)
	for _, c := range []struct{ path, message, want string }{
		{graphQL, `{"type": "connection_init"}`, `{"type":"connection_init"}`},
		{graphQL, `{"type":"connection_init","payload":{}}`, `{"type":"connection_init","payload":{}}`},
		{graphQL, `{"type":"connection_init","payload":{"Authorization":"Bearer abcdef0123"}}`, "action_unclassified"},
		{graphQL, `{"id":"1","type":"subscribe","payload":{"query":"subscription { pageChanged(id: 7) { text } }"}}`,
			`{"id":"1","type":"subscribe","payload":{"query":"subscription{pageChanged(id:7){text}}"}}`},
		{graphQL, `{"id":"1","type":"start","payload":{"query":"mutation M($i: In!) { updatePage(input: $i) { id } }","operationName":"M","variables":{"i":{"id":"7"}}}}`,
			`{"id":"1","type":"start","payload":{"query":"mutation M($i:In!){updatePage(input:$i){id}}","operationName":"M","variables":{"i":{"id":"7"}}}}`},
		{graphQL, `{"id":"1","type":"subscribe","payload":{"query":"subscription { users { token } }"}}`, "action_unclassified"},
		{graphQL, `{"id":"1","type":"subscribe","payload":{"query":"subscription A { pageChanged(id: 7) { text } } subscription B { users { token } }"}}`, "ambiguous_request"},
		{graphQL, `{"id":"1","type":"subscribe","payload":{"query":"subscription { pageChanged(id: 7) { text } }","id":"stored"}}`, "ambiguous_request"},
		{graphQL, `{"id":"1","type":"subscribe","payload":[{"query":"subscription { pageChanged(id: 7) { text } }"}]}`, "ambiguous_request"},
		{graphQL, `{"id":"1","type":"subscribe","query":"mutation { dropAll }","payload":{"query":"subscription { pageChanged(id: 7) { text } }"}}`, "action_unclassified"},
		{graphQL, `{"type":"subscribe"}`, "ambiguous_request"},
		{graphQL, `{"type":"subscribe","payload":{"query":"subscription { pageChanged(id: 7) { text } }","variables":{"access_token":"abc123"}}}`, "credential_in_message"},

		{socketIO, "40", "40"},
		{socketIO, `42["comment", {"page": 7, "text": "ä"}]`, `42["comment",{"page":7,"text":"\u00e4"}]`},
		{socketIO, `4212["join",{"page":7}]`, `4212["join",{"page":7}]`},
		{socketIO, `42["comment",{"page":7,"text":"x","as":"admin"}]`, "action_unclassified"},
		{socketIO, `42["comment",{"page":7},{"page":8}]`, "action_unclassified"},
		{socketIO, `42/admin,["comment",{"page":7}]`, "action_unclassified"},
		{socketIO, `4201["comment",{"page":7}]`, "action_unclassified"},
		{socketIO, `451-["comment",{"page":7,"text":{"_placeholder":true,"num":0}}]`, "action_unclassified"},
		{socketIO, `42["comment",{"page":7}`, "ambiguous_request"},
		{socketIO, `40{"token":"abc123"}`, "action_unclassified"},

		{signalR, `{"protocol":"json","version":1}` + "\x1e", `{"protocol":"json","version":1}` + "\x1e"},
		{signalR, `{"type":6}` + "\x1e" + `{"type":1, "target":"AddComment","arguments":["7","hi"]}` + "\x1e",
			`{"type":6}` + "\x1e" + `{"type":1,"target":"AddComment","arguments":["7","hi"]}` + "\x1e"},
		{signalR, `{"type":6}`, `{"type":6}` + "\x1e"},
		{signalR, `{"type":6}` + "\x1e" + `{"type":1,"target":"DropAll","arguments":[]}` + "\x1e", "action_unclassified"},
		{signalR, `{"protocol":"messagepack","version":1}` + "\x1e", "action_unclassified"},
		{signalR, `{"type":6}` + "\x1e\x1e", "action_unclassified"},
		{signalR, `{"type":6}{"type":6}` + "\x1e", "ambiguous_request"},

		{phoenix, `[null,"5","phoenix","heartbeat",{}]`, `[null,"5","phoenix","heartbeat",{}]`},
		{phoenix, `["1","2","page:7","comment",{"text":"hi"}]`, `["1","2","page:7","comment",{"text":"hi"}]`},
		{phoenix, `["1","2","page:7","comment",{"text":"hi"},"more"]`, "action_unclassified"},
		{phoenix, `["1","2","page:7","comment",{"text":"hi","as":"admin"}]`, "action_unclassified"},
		{phoenix, `["1","2","page:7","comment",[{"text":"hi"}]]`, "action_unclassified"},
		{phoenix, `["1","2","page:7","delete",{}]`, "action_unclassified"},
		{phoenix, `{"2":"page:7","3":"comment"}`, `{"2":"page:7","3":"comment"}`}, // an object with these keys is not a list, so Phoenix ignores it

		{cable, `{"command":"subscribe","identifier":"{\"channel\":\"PageChannel\",\"id\":7}"}`, `{"command":"subscribe","identifier":"{\"channel\":\"PageChannel\",\"id\":7}"}`},
		{cable, `{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{ \"action\":\"c\\u006fmment\",\"text\":\"hi\"}"}`,
			`{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{\"action\":\"comment\",\"text\":\"hi\"}"}`},
		{cable, `{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{\"action\":\"drop\"}"}`, "action_unclassified"},
		{cable, `{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{\"action\":\"comment\",\"action\":\"drop\"}"}`, "ambiguous_request"},
		{cable, `{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7},\"x\":{}","data":"{\"action\":\"comment\"}"}`, "ambiguous_request"},
		{cable, `{"command":"message","identifier":{"channel":"PageChannel","id":7},"data":"{\"action\":\"comment\"}"}`, "ambiguous_request"},
		{cable, `{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{\"action\":\"comment\",\"text\":\"Bearer abcdef0123456789\"}"}`, "credential_in_message"},

		{sockJS, `["{\"do\": \"comment\", \"page\": 7}"]`, `["{\"do\":\"comment\",\"page\":7}"]`},
		{sockJS, `["{\"do\":\"comment\",\"page\":7}","{\"do\":\"comment\",\"page\":8,\"text\":\"ä\"}"]`, `["{\"do\":\"comment\",\"page\":7}","{\"do\":\"comment\",\"page\":8,\"text\":\"\\u00e4\"}"]`},
		{sockJS, `["{\"do\":\"comment\",\"page\":7}","{\"do\":\"drop\",\"page\":8}"]`, "action_unclassified"},
		{sockJS, `"{\"do\":\"comment\",\"page\":7}"`, "ambiguous_request"},
		{sockJS, `[{"do":"comment","page":7}]`, "ambiguous_request"},
		{sockJS, `[]`, "ambiguous_request"},
		{sockJS, ``, "ambiguous_request"},
	} {
		if got := e.exchangeMessage(c.path, websocket.MessageText, c.message); got != c.want {
			t.Errorf("%s\n sent %s\n got  %s\n want %s", c.path, c.message, got, c.want)
		}
	}

	if got := e.exchangeMessage("/mqtt", websocket.MessageBinary, "\x10\x0c\x00\x04MQTT"); got != "out_of_scope" {
		t.Errorf("a binary message whose rule is privileged got %q, want out_of_scope", got)
	}
	if got := e.exchangeMessage(sockJS, websocket.MessageBinary, "\x00"); got != "action_unclassified" {
		t.Errorf("a binary message without a rule got %q, want action_unclassified", got)
	}
	e.wantRefusal(ActionUnclassified, "GET", "/socket.io/?EIO=4&transport=polling", "")
	e.wantRefusal(ActionUnclassified, "POST", "/socket.io/?EIO=4&transport=polling", `42["comment",{"page":7}]`, "Content-Type", "text/plain;charset=UTF-8")
}

// exchangeMessage opens a WebSocket, sends a message, and returns what of it arrived, or
// the code with which the WebSocket was closed.
func (e *exampleAgent) exchangeMessage(path string, kind websocket.MessageType, message string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ws, _, err := websockettest.Dial("https://example.com"+path, e.client.Transport, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, kind, []byte(message)); err != nil {
		e.t.Fatal(err)
	}

	_, b, err := ws.Read(ctx)
	if err == nil {
		return strings.TrimPrefix(string(b), "got ")
	}
	var closed websocket.CloseError
	if !asCloseError(err, &closed) || closed.Code != websocket.StatusPolicyViolation {
		e.t.Fatalf("sent %q, got %v; want an answer or status 1008", message, err)
	}
	code, _, _ := strings.Cut(closed.Reason, ", record ")
	return code
}
