package adapters

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const messageAdapter = `
name: board
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [board.example]
login: {kind: basic}
actions:
  - name: board.watch
    match: {method: GET, path: "/boards/{board}/socket"}
    resource: "board/{board}"
    websocket: true
    messages:
      - {name: board.ping, match: {text: [ping, "HELLO {name}"]}}
      - {name: packet.send, match: {prefix: "42", json: {"0": "{event}"}}, resource: "event/{event}"}
      - {name: card.move, match: {json: {type: move, card: "{card}", board: ["{board}", ""]}, only: [to], where: {card: "[a-z0-9]+"}}, resource: "board/{board}/card/{card}"}
      - {name: card.delete, privileged: true, match: {json: {type: delete, card: "{card}"}, keys: {args: [force]}}, resource: "card/{card}"}
      - {name: call.run, match: {batch: true, json: {method: "run", "params.id": "{id:digits}"}}, resource: "run/{id}"}
      - {name: board.upload, binary: true, resource: "board/{board}"}
  - {name: free.talk, match: {method: GET, path: /free}, websocket: true}
  - {name: free.binary, match: {method: GET, path: /binary}, websocket: true, binary: true}
  - {name: page.read, match: {method: GET, path: "/**"}}
`

// openSocket returns the adapter and the socket of a request for a WebSocket.
func openSocket(t testing.TB, path string) (*Adapter, *Socket) {
	t.Helper()
	set, err := Load([]Source{{Name: "board.yaml", Text: []byte(messageAdapter)}})
	if err != nil {
		t.Fatal(err)
	}
	a := set.ByName("board")
	action, why := a.Classify(Query{Method: "GET", Path: path})
	if why != nil {
		t.Fatal(why.Kind)
	}
	return a, action.Socket
}

func TestOnlyNamedActionsOpenWebSockets(t *testing.T) {
	for path, want := range map[string]bool{"/boards/7/socket": true, "/free": true, "/socket": false, "/boards/7/socket/x": false} {
		if _, s := openSocket(t, path); (s != nil) != want {
			t.Errorf("%s opens a WebSocket: %v, want %v", path, s != nil, want)
		}
	}
}

// readText says in one line what becomes of a message.
func readText(a *Adapter, s *Socket, message string, binary bool) string {
	reading, refused := a.ReadMessage(s, SocketMessage{Payload: []byte(message), Binary: binary})
	switch {
	case refused == nil:
		var names []string
		for _, act := range reading.Actions {
			names = append(names, act.Name+" "+act.Resource)
		}
		return strings.TrimSpace(fmt.Sprintf("%s > %s", strings.Join(names, ", "), reading.Payload))
	case len(refused.Borrowed) > 0:
		return "borrowed " + refused.Borrowed[0].Name
	case refused.Ambiguous != "":
		return "ambiguous"
	}
	return "no rule"
}

func TestI11MessagesAreNamed(t *testing.T) {
	a, s := openSocket(t, "/boards/7/socket")
	for _, c := range []struct{ message, want string }{
		{"ping", "board.ping  > ping"},
		{"HELLO wörld", "board.ping  > HELLO wörld"},
		{`42["join", {"room": 1}]`, `packet.send event/join > 42["join",{"room":1}]`},
		{`{"type":"move","card":"c1"}`, `card.move board/7/card/c1 > {"type":"move","card":"c1"}`},
		{` { "type" : "m\u006fve", "card":"c1", "to": 3 } `, `card.move board/7/card/c1 > {"type":"move","card":"c1","to":3}`},
		{`{"type":"move","card":"c1","board":"7"}`, `card.move board/7/card/c1 > {"type":"move","card":"c1","board":"7"}`},
		{`{"type":"delete","card":"ä","args":{"force":true}}`, `card.delete card/ä > {"type":"delete","card":"\u00e4","args":{"force":true}}`},
		{`[{"method":"run","params":{"id":12}},{"method":"run","params":{"id":12}}]`, `call.run run/12 > [{"method":"run","params":{"id":12}},{"method":"run","params":{"id":12}}]`},

		{`{"type":"move","card":"c1","board":"8"}`, "no rule"}, // another board than the WebSocket's
		{`{"type":"move","card":"c1","extra":1}`, "no rule"},
		{`{"type":"move","card":"C-1"}`, "no rule"},
		{`{"type":"delete","card":"c1","args":{"force":true,"all":true}}`, "no rule"},
		{`[{"method":"run","params":{"id":12}},{"method":"run","params":{"id":13}}]`, "no rule"},
		{`[{"method":"run","params":{"id":12}},{"method":"drop"}]`, "no rule"},
		{`{}`, "no rule"},
		{`"ping"`, "no rule"},
		{"PING", "ambiguous"},
		{"ping\n", "ambiguous"},
		{"", "no rule"},
		{`42`, "no rule"}, // the prefix without JSON; 42 is JSON that no rule names
		{`42["join"`, "ambiguous"},
		{`{"type":"move","card":"c1","type":"delete"}`, "ambiguous"},
		{`{"type":"move","card":"c1","Type":"delete"}`, "refused"}, // keys that differ in case alone
		{`{"type":"move","card":"c1",}`, "ambiguous"},
		{`{type:"move",card:"c1"}`, "ambiguous"},
		{`{"type":"move","card":"c1"}{"type":"delete","card":"c1"}`, "ambiguous"},
		{`{"type":"move","card":"c1"} //`, "ambiguous"},
		{`{"type":"move","card":["c1"]}`, "ambiguous"},
		{`{"type":"move","card":"c1\ud800"}`, "refused"},
		{`{"type":"move","card":"c1","to":{"access_token":"abc123"}}`, "borrowed access_token"},
		{`{"type":"move","card":"c1","to":["x","eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"]}`, "borrowed to"},
		{`42["join",{"password":"abc123"}]`, "borrowed password"},
	} {
		got := readText(a, s, c.message, false)
		if c.want == "refused" && (got == "ambiguous" || got == "no rule") {
			continue
		}
		if got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.message, got, c.want)
		}
	}
	if got := readText(a, s, "\x00\xff", true); got != "board.upload board/7 > \x00\xff" {
		t.Errorf("a binary message: %q", got)
	}
}

func TestI2FreeMessagesAreJudged(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	a, s := openSocket(t, "/free")
	for _, c := range []struct{ message, want string }{
		{"hello world", "> hello world"},
		{"", ">"},
		{"Basic training begins at nine", "> Basic training begins at nine"},
		{"note: the Digest of news", "> note: the Digest of news"},
		{`{"a": "b c"}`, `> {"a":"b c"}`},
		{`"quoted"`, `> "quoted"`},
		{"SEND\ndestination:/queue/a\n\nhello\x00", "> SEND\ndestination:/queue/a\n\nhello\x00"},
		{`{"sid":"********"}`, `> {"sid":"********"}`}, // a mask that came back
		{`{"a":1,"a":2}`, "ambiguous"},
		{`{"a":1,}`, "ambiguous"},
		{"\ufeff {'a':1}", "ambiguous"},
		{"[1,2", "ambiguous"},

		{`{"access_token":"abc123"}`, "borrowed access_token"},
		{`{"a":[{"b":{"session_id":"abc123"}}]}`, "borrowed session_id"},
		{`{"a":"Bearer abc123"}`, "borrowed a"},
		{`{"data":"{\"password\":\"abc123\"}"}`, "borrowed data"},
		{`{"accessToken":"abc123"}`, "borrowed accessToken"},
		{`{"a":{"ticket":"ST-1-abc"}}`, "borrowed ticket"},
		{`{"url":"/x?access_token=abc"}`, "borrowed url"},
		{`{"x":"Bearer\tabc123"}`, "borrowed x"},
		{"CONNECT\npasscode:abc123\n\n\x00", "borrowed passcode"},
		{`{"password":12345678}`, "borrowed password"},
		{`42["login",{"password":"abc123"}]`, "borrowed password"},
		{"CONNECT\npassword:abc123\n\n\x00", "borrowed password"},
		{"CONNECT\nAuthorization: Bearer abc123\n\n\x00", "borrowed Authorization"},
		{"AUTH " + jwt, "borrowed "},
		{"x=" + jwt, "borrowed x"},
		{"say Bearer " + jwt, "borrowed "},
	} {
		if got := readText(a, s, c.message, false); got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.message, got, c.want)
		}
	}
	if got := readText(a, s, "x", true); got != "no rule" {
		t.Errorf("a binary message where none is named: %q, want no rule", got)
	}

	a, s = openSocket(t, "/binary")
	for message, want := range map[string]string{
		"\x00\x01\xff":                      "> \x00\x01\xff",
		`{"a": 1}`:                          `> {"a": 1}`,
		`{"password":"abc123"}`:             "borrowed password",
		"\x00\x10" + jwt + "\xff":           "borrowed ",
		"\x01\xffpassword=abc123\x00\xff\t": "borrowed password",
	} {
		if got := readText(a, s, message, true); got != want {
			t.Errorf("binary %q\n got  %q\n want %q", message, got, want)
		}
	}
}

func TestMessagesAreChecked(t *testing.T) {
	for replaced, by := range map[string]string{
		"    websocket: true\n":                                  "",
		"binary: true, resource":                                 "binary: true, match: {text: x}, resource",
		"{text: [ping, \"HELLO {name}\"]}":                       "{}",
		"match: {method: GET, path: \"/boards/{board}/socket\"}": "match: {method: POST, path: \"/boards/{board}/socket\"}",
		"prefix: \"42\"":                                         "prefix: '42[\"a\",'",
		"resource: \"event/{event}\"":                            "resource: \"event/{nothing}\"",
		"name: card.move":                                        "name: Card.Move",
		"where: {card:":                                          "where: {nothing:",
		"websocket: true, binary: true":                          "binary: true",
	} {
		text := strings.Replace(messageAdapter, replaced, by, 1)
		if text == messageAdapter {
			t.Fatalf("%q is not in the adapter", replaced)
		}
		if _, err := Load([]Source{{Name: "board.yaml", Text: []byte(text)}}); err == nil {
			t.Errorf("%q in place of %q is no problem", by, replaced)
		} else {
			t.Log(err)
		}
	}
}

// FuzzMessages looks for panics, and for JSON that leaves in another spelling than the canonical one.
func FuzzMessages(f *testing.F) {
	for _, path := range []string{"/boards/7/socket", "/free"} {
		f.Add(path == "/free", `{"type":"move","card":"c1"}`)
		f.Add(path == "/free", `42["a",{"b":"Bearer c"}]`)
	}
	a, rules := openSocket(f, "/boards/7/socket")
	_, free := openSocket(f, "/free")
	f.Fuzz(func(t *testing.T, isFree bool, text string) {
		s := rules
		if isFree {
			s = free
		}
		reading, refused := a.ReadMessage(s, SocketMessage{Payload: []byte(text)})
		if refused != nil {
			return
		}
		again, refused := a.ReadMessage(s, SocketMessage{Payload: reading.Payload})
		if refused != nil || string(again.Payload) != string(reading.Payload) || !slices.Equal(again.Actions, reading.Actions) {
			t.Fatalf("%q is sent as %q, which is read as %+v, %v", text, reading.Payload, again, refused)
		}
	})
}
