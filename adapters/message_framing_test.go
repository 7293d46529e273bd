package adapters

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// exampleSockets returns the adapter of the WebSocket example and its sockets by the path that opens them.
func exampleSockets(t testing.TB) (a *Adapter, sockets map[string]*Socket) {
	t.Helper()
	text, err := os.ReadFile("examples/websockets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, err := Load([]Source{{Name: "websockets.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	a, sockets = set.ByName("websockets"), map[string]*Socket{}
	for _, path := range []string{"/graphql", "/socket.io/?EIO=4&transport=websocket", "/hub", "/socket/websocket", "/cable", "/sockjs/1/a/websocket"} {
		target, query, _ := strings.Cut(path, "?")
		action, why := a.Classify(Query{Method: "GET", Path: target, RawQuery: query})
		if why != nil {
			t.Fatalf("%s opens no WebSocket: %s", path, why.Doubt())
		}
		sockets[target] = action.Socket
	}
	return a, sockets
}

func TestI2CredentialsInFramedMessages(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	a, sockets := exampleSockets(t)
	for _, c := range []struct{ path, message, want string }{
		{"/hub", `{"type":6}` + "\x1e" + `{"type":1,"target":"AddComment","arguments":["7","` + jwt + `"]}` + "\x1e", "borrowed arguments"},
		{"/sockjs/1/a/websocket", `["{\"do\":\"comment\",\"page\":7}","{\"do\":\"comment\",\"page\":7,\"text\":\"` + jwt + `\"}"]`, "borrowed text"},
		{"/cable", `{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{\"action\":\"comment\",\"text\":\"` + jwt + `\"}"}`, "borrowed text"},
		{"/socket.io/", `42["comment",{"page":7,"text":"` + jwt + `"}]`, "borrowed text"},
		{"/socket/websocket", `["1","2","page:7","comment",{"text":"` + jwt + `"}]`, "borrowed text"},
		{"/graphql", `{"id":"` + jwt + `","type":"complete"}`, "borrowed id"},
	} {
		if got := readText(a, sockets[c.path], c.message, false); got != c.want {
			t.Errorf("%s\n sent %s\n got  %s\n want %s", c.path, c.message, got, c.want)
		}
	}
}

// TestI2PrefixIsJudged has a credential stand before the JSON, where a pattern lets it.
func TestI2PrefixIsJudged(t *testing.T) {
	text := strings.Replace(messageAdapter, `prefix: "42"`, `prefix: ["42", "42/{namespace},"]`, 1)
	set, err := Load([]Source{{Name: "board.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	a := set.ByName("board")
	action, _ := a.Classify(Query{Method: "GET", Path: "/boards/7/socket"})
	for message, want := range map[string]string{
		`42/admin,["join",1]`:                              `packet.send event/join > 42/admin,["join",1]`,
		`42/admin, ["join",1]`:                             `packet.send event/join > 42/admin,["join",1]`,
		`42/admin?token=abc0123456,["join",1]`:             "borrowed 42/admin?token",
		`42/a?x=Bearer abcdef0123456,["join"]`:             "borrowed 42/a?x",
		"42/a\u200b,[\"join\",1]":                          "ambiguous", // no prefix, and no JSON for the next rule
		`42/["x"],["join",1]`:                              "ambiguous",
		`42/"x",["join",1]`:                                "ambiguous",
		"42/a\n,[\"join\",1]":                              "ambiguous",
		`42/` + strings.Repeat("a", 1<<17) + `,["join",1]`: "ambiguous",
	} {
		if got := readText(a, action.Socket, message, false); got != want {
			t.Errorf("sent %.80s\n got  %.80s\n want %s", message, got, want)
		}
	}
}

func TestFramingIsChecked(t *testing.T) {
	for framing, isFine := range map[string]bool{
		`{separator: "\u001e"}`: true, `{separator: "\n"}`: true, `{separator: "\r\n"}`: true, `{separator: "\0"}`: true, `{list: true}`: true,
		`{separator: "\n\n"}`: false, `{separator: "|"}`: false, `{separator: "\n", list: true}`: false, `{separator: " "}`: false, `{separator: "\u0085"}`: false,
	} {
		text := strings.Replace(messageAdapter, "    messages:\n", "    framing: "+framing+"\n    messages:\n", 1)
		_, err := Load([]Source{{Name: "board.yaml", Text: []byte(text)}})
		if (err == nil) != isFine {
			t.Errorf("framing: %s gives %v, want fine: %v", framing, err, isFine)
		}
	}
	for replaced, by := range map[string]string{
		`prefix: "42"`:        `prefix: "42", embedded: [a, a]`,
		"batch: true, json":   "batch: true, embedded: [params], json",
		`json: {type: move,`:  `graphql_at: payload.data, json: {type: move,`,
		`name: card.move, `:   `name: card.move, match: {embedded: [data]}} # `,
		"websocket: true\n  ": "websocket: true, framing: {list: true}\n  ",
	} {
		text := strings.Replace(messageAdapter, replaced, by, 1)
		if _, err := Load([]Source{{Name: "board.yaml", Text: []byte(text)}}); err == nil || text == messageAdapter {
			t.Errorf("%q in place of %q was accepted, want an error", by, replaced)
		}
	}
}

// FuzzFramedMessages compares what the rules of the example decide with what encoding/json, as the applications'
// readers do, finds in the message that leaves.
func FuzzFramedMessages(f *testing.F) {
	a, sockets := exampleSockets(f)
	paths := []string{"/hub", "/cable", "/sockjs/1/a/websocket", "/socket/websocket", "/socket.io/"}
	for i, seed := range []string{
		`{"type":6}` + "\x1e" + `{"type":1,"target":"AddComment","arguments":["7","x"]}` + "\x1e",
		`{"command":"message","identifier":"{\"channel\":\"PageChannel\",\"id\":7}","data":"{\"action\":\"comment\",\"text\":\"x\"}"}`,
		`["{\"do\":\"comment\",\"page\":7}","{\"do\":\"comment\",\"page\":8}"]`,
		`["1","2","page:7","comment",{"text":"hi"}]`,
		`4212["comment",{"page":7,"text":"x"}]`,
	} {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, message string) {
		path := paths[int(which)%len(paths)]
		out, refused := a.ReadMessage(sockets[path], SocketMessage{Payload: []byte(message)})
		if refused != nil {
			return
		}
		again, refused := a.ReadMessage(sockets[path], SocketMessage{Payload: slices.Clone(out.Payload)})
		if refused != nil || string(again.Payload) != string(out.Payload) || !slices.Equal(again.Actions, out.Actions) {
			t.Fatalf("%s: %q is sent as %q, which is read as %+v, %v", path, message, out.Payload, again, refused)
		}
		if want := resourcesIn(path, string(out.Payload)); want != nil && !slices.Equal(want, resourcesOf(out)) {
			t.Fatalf("%s: %q is decided as %q, and its application reads %q", path, out.Payload, resourcesOf(out), want)
		}
	})
}

func resourcesOf(r MessageReading) (all []string) {
	for _, act := range r.Actions {
		all = append(all, act.Resource)
	}
	return all
}

// resourcesIn reads a message as the application of the example would: the page that each message in it is about.
// It is nil for the protocol's own messages.
func resourcesIn(path, message string) (all []string) {
	add := func(id any) { all = append(all, "page/"+strings.Trim(string(mustMarshal(id)), `"`)) }
	switch path {
	case "/hub":
		for record := range strings.SplitSeq(strings.TrimSuffix(message, "\x1e"), "\x1e") {
			var m struct {
				Type      any
				Arguments []any
			}
			if json.Unmarshal([]byte(record), &m) != nil || len(m.Arguments) == 0 {
				return nil
			}
			add(m.Arguments[0])
		}
	case "/sockjs/1/a/websocket":
		var texts []string
		_ = json.Unmarshal([]byte(message), &texts)
		for _, text := range texts {
			var m struct{ Page any }
			_ = json.Unmarshal([]byte(text), &m)
			add(m.Page)
		}
	case "/cable":
		var m struct{ Identifier string }
		var id struct{ ID any }
		_ = json.Unmarshal([]byte(message), &m)
		_ = json.Unmarshal([]byte(m.Identifier), &id)
		add(id.ID)
	}
	return all
}

func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
