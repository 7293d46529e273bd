package adapters

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// checkMessages is about the WebSockets that an action may open.
func (d *draft) checkMessages(key string, a *ActionSpec) {
	if !a.WebSocket {
		if a.Binary || len(a.Messages) > 0 || a.Framing != (FramingSpec{}) {
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
	d.checkFraming(key+".framing", a)
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
	case !m.Binary && !match.isSpecific():
		d.at(key+".match", `text: "*" is every text message`, "%q does not say which messages it is", m.Name)
	}
	if _, unnamed := match.JSON[""]; unnamed {
		d.at(key+".match.json", "", "match.json has an entry without a name")
	}
	if _, isList := match.JSON["0"]; isList && match.Batch {
		d.at(key+".match.batch", "", "a batch is a list of calls, so match.json cannot name its members")
	}
	d.checkPrefix(key+".match.prefix", match)
	d.checkEmbedded(key+".match.embedded", match)
	if match.GraphQLAt != "" && match.GraphQL.isEmpty() {
		d.at(key+".match.graphql_at", "graphql: {type: …, field: …}", "match.graphql_at says where a GraphQL request is, and match.graphql does not say which")
	}
}

// isSpecific reports whether it says which messages are meant. A prefix alone leaves open what follows it.
func (m *MessageMatchSpec) isSpecific() bool {
	return m.Text != nil || m.Only != nil || len(m.JSON)+len(m.Keys) > 0 || !m.GraphQL.isEmpty()
}

func (g *GraphQLSpec) isEmpty() bool { return len(g.Type)+len(g.Field)+len(g.Argument) == 0 }

// checkPrefix is about patterns that JSON itself would fit.
func (d *draft) checkPrefix(key string, match *MessageMatchSpec) {
	for _, text := range match.Prefix {
		literals := patternVariables.ReplaceAllString(text, "")
		if strings.ContainsAny(literals, "{[\"") {
			d.at(key, "", "the prefix %q holds the beginning of JSON", text)
		}
	}
}

// patternVariables finds the variables of a pattern.
var patternVariables = regexp.MustCompile(`\{[a-z0-9_]+(:[a-z]+)?\}`)

// maxEmbedded bounds how often the JSON of a message is parsed.
const maxEmbedded = 4

func (d *draft) checkEmbedded(key string, match *MessageMatchSpec) {
	if len(match.Embedded) > maxEmbedded {
		d.at(key, "", "match.embedded has more than %d pointers", maxEmbedded)
	}
	if len(match.Embedded) > 0 && match.Batch {
		d.at(key, "", "match.embedded leads into one message, and match.batch reads several")
	}
	for i, pointer := range match.Embedded {
		if pointer == "" || slices.Contains(match.Embedded[:i], pointer) {
			d.at(key, "", "match.embedded has an entry that is empty or comes twice")
		}
	}
}

// checkFraming demands separators that no message holds and that are found at one place only.
func (d *draft) checkFraming(key string, a *ActionSpec) {
	f := &a.Framing
	if !f.List && f.Separator == "" {
		return
	}
	if len(a.Messages) == 0 {
		d.at(key, "messages", "action %q divides messages, and does not say what they do", a.Name)
	}
	if f.List && f.Separator != "" {
		d.at(key, "list or separator", "the framing of %q has both list and separator", a.Name)
	}
	if f.Separator != "" && f.Separator != "\r\n" && (len(f.Separator) != 1 || f.Separator[0] >= ' ') {
		d.at(key+".separator", `"\u001e" or "\n"`, "the separator %q is not one control character", f.Separator)
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
	for i := range a.Messages {
		m := &a.Messages[i]
		if word := m.managementWord(); word != "" && !m.Privileged {
			d.at(fmt.Sprintf("%s.messages[%d]", key, i), "privileged: true, so that no wildcard grants it", "message %q is told by %q: may it be how people and their rights are managed?", m.Name, word)
		}

		match := &m.Match
		if _, typed := match.JSON["type"]; !match.GraphQL.isEmpty() && !typed {
			d.at(fmt.Sprintf("%s.messages[%d]", key, i), "json: {type: [subscribe, start]}", "%q is about a GraphQL request in a message, and not about what the message does with it", a.Messages[i].Name)
		}
	}
	if a.WebSocket && len(a.Match.Method) == 0 {
		d.at(key, "method: GET", "action %q opens WebSockets, which only a GET does", a.Name)
	}
}

// managementWord returns a word by which a message may manage people or their rights, or "".
func (m *MessageSpec) managementWord() string {
	texts := append(slices.Clone(m.Match.Text), m.Match.GraphQL.Field...)
	for _, name := range slices.Sorted(maps.Keys(m.Match.JSON)) {
		texts = append(texts, m.Match.JSON[name]...)
	}
	for _, text := range texts {
		if word := findWord(text); word != "" {
			return word
		}
	}
	return ""
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
