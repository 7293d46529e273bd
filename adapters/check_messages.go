package adapters

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// checkMessages is about the WebSockets that an action may open.
func (d *draft) checkMessages(key string, a *ActionSpec) {
	if !a.WebSocket {
		if a.Binary || len(a.Messages) > 0 {
			d.at(key, "websocket: true", "action %q says what messages do, and opens no WebSocket", a.Name)
		}
		return
	}

	if len(a.Match.Method) > 0 && !slices.Contains(a.Match.Method, "GET") {
		d.at(key+".match.method", "GET", "action %q can open no WebSocket: that is a GET", a.Name)
	}
	if a.Login {
		d.at(key+".websocket", "", "action %q is a login, which opens no WebSocket", a.Name)
	}
	if a.Binary && len(a.Messages) > 0 {
		d.at(key+".binary", "a rule in messages with binary: true", "action %q has messages, which name binary ones too", a.Name)
	}
	for i := range a.Messages {
		d.checkMessage(fmt.Sprintf("%s.messages[%d]", key, i), &a.Messages[i])
	}
}

func (d *draft) checkMessage(key string, m *MessageSpec) {
	if m.Name != "" && !isActionName(m.Name) {
		d.at(key+".name", "lower case words joined by dots, as in card.move", "action name %q is not a name", m.Name)
	}

	match := &m.Match
	empty := reflect.ValueOf(*match).IsZero()
	switch {
	case m.Binary && !empty:
		d.at(key+".match", "", "%q is about binary messages, which are not read", m.Name)
	case !m.Binary && match.Text == nil && match.Only == nil && len(match.JSON)+len(match.Keys) == 0:
		d.at(key+".match", `text: "*" is every text message`, "%q does not say which messages it is", m.Name)
	}
	if _, unnamed := match.JSON[""]; unnamed {
		d.at(key+".match.json", "", "match.json has an entry without a name")
	}
	if strings.ContainsAny(match.Prefix, "{[\"") {
		d.at(key+".match.prefix", "", "the prefix %q holds the beginning of JSON", match.Prefix)
	}
}

// adviseMessages tells the author of an older adapter what a path that looks like a WebSocket's needs, and what is
// allowed and seldom meant.
func (d *draft) adviseMessages(key string, a *ActionSpec) {
	if !a.WebSocket && (len(a.Match.Method) == 0 || slices.Contains(a.Match.Method, "GET")) {
		for _, path := range a.Match.Path {
			if looksLikeSocket(path) {
				d.at(key, "websocket: true, and messages for what agents may send", "action %q has a path like that of a WebSocket, and opens none", a.Name)
				break
			}
		}
	}
	if a.WebSocket && len(a.Messages) == 0 {
		d.at(key, "messages: [{name: …, match: {json: …}}]", "action %q opens a WebSocket on which agents may send any text, all of it under this name", a.Name)
	}
	if a.WebSocket && len(a.Match.Method) == 0 {
		d.at(key, "method: GET", "action %q opens WebSockets, which only a GET does", a.Name)
	}
}

// looksLikeSocket reports whether a segment of a path is called as the paths of WebSockets are.
func looksLikeSocket(path string) bool {
	for segment := range strings.SplitSeq(strings.ToLower(path), "/") {
		switch segment {
		case "ws", "wss", "websocket", "websockets", "socket", "sockets", "socket.io", "engine.io", "sockjs", "cable", "live":
			return true
		}
	}
	return false
}
