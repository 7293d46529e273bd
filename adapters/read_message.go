package adapters

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// SocketMessage is one whole message of an agent.
type SocketMessage struct {
	Binary  bool
	Payload []byte
	Session *Session // that the WebSocket was opened with; nil if there is none

	// Context ends the classification: no further rule is tried. Nil never ends it.
	Context context.Context
}

// MessageReading is what the adapter makes of a message.
type MessageReading struct {
	// Actions are what the message does: one action, or one for each message that the action's framing finds in it. It
	// is empty if the message is part of the action that opened the WebSocket.
	Actions []MessageAction

	// Payload is what may be sent. It is the agent's own, or JSON that was rewritten.
	Payload []byte
}

// MessageAction is what one message does.
type MessageAction struct {
	Action
	Bytes int // of the message, as it may be sent
}

// MessageRefusal says why a message must not be sent. It holds nothing of the message but names in Borrowed.
type MessageRefusal struct {
	Ambiguous string     // why the message cannot be read without doubt; "" if it can
	Borrowed  []Borrowed // the credentials in it
	// If neither is set, no rule matches.
}

// ReadMessage names the actions of a message, looks for credentials in it, and returns what may be sent. JSON is
// rewritten, so that what was judged is what the application reads. It returns a refusal if no rule matches, if the
// message can be read in two ways, or if it holds a credential.
func (a *Adapter) ReadMessage(s *Socket, m SocketMessage) (MessageReading, *MessageRefusal) {
	if s.rules.rules == nil {
		out, read, refused := s.readUnnamed(m)
		if refused == nil {
			refused = a.refuseBorrowed(m.Session, read)
		}
		if refused != nil {
			return MessageReading{}, refused
		}
		return MessageReading{Payload: out}, nil
	}

	parts, why := s.rules.framing.divide(m)
	if why != "" {
		return MessageReading{}, &MessageRefusal{Ambiguous: why}
	}
	var out MessageReading
	for i := range parts {
		act, payload, refused := a.readPart(s, SocketMessage{Binary: m.Binary, Payload: parts[i], Session: m.Session, Context: m.Context})
		if refused != nil {
			return MessageReading{}, refused
		}
		parts[i] = payload
		out.Actions = append(out.Actions, MessageAction{Action: act, Bytes: len(payload)})
	}
	out.Payload = s.rules.framing.join(m, parts)
	return out, nil
}

// readPart reads one message that the framing found.
func (a *Adapter) readPart(s *Socket, m SocketMessage) (Action, []byte, *MessageRefusal) {
	d := messageReader{m: &m}
	defer d.release()
	act, refused := s.classify(&d)
	if refused == nil {
		refused = a.refuseBorrowed(m.Session, d.judged())
	}
	if refused != nil {
		return Action{}, nil, refused
	}
	return act, d.payload(), nil
}

// readMessage is a message as it was read: text, and the JSON in it.
type readMessage struct {
	text []byte     // the whole message, or what stands before the JSON
	json *body.JSON // nil if no JSON was read
}

// refuseBorrowed refuses a message that holds a credential.
func (a *Adapter) refuseBorrowed(s *Session, m readMessage) *MessageRefusal {
	borrowed := a.judgeMessage(s, m)
	if len(borrowed) > 0 {
		return &MessageRefusal{Borrowed: borrowed}
	}
	return nil
}

// The reasons why a message cannot be read without doubt.
const (
	unreadableMessage  = "it is not one JSON value with every key once"
	unreadableEmbedded = "a text in it is not one JSON value with every key once"
	unreadableGraphQL  = "it has no GraphQL request that all servers read alike"
	doubtfulMessage    = "a value in it that decides can be read in two ways"
)

// classify names the action of a message.
func (s *Socket) classify(d *messageReader) (Action, *MessageRefusal) {
	for i := range s.rules.rules {
		if d.m.Context != nil && d.m.Context.Err() != nil {
			break
		}

		rule := &s.rules.rules[i]
		b := s.bound
		o := rule.match(d, &b)
		switch o.verdict {
		case matches:
			d.matched = rule
			return rule.action(&b), nil
		case unsure, needsBody:
			return Action{}, &MessageRefusal{Ambiguous: d.doubt(rule, o)}
		}
	}
	return Action{}, &MessageRefusal{}
}

// messageReader parses a message as far as the rules ask. Rules that read the same JSON share it. It belongs to one
// goroutine.
type messageReader struct {
	m       *SocketMessage
	matched *messageRule // nil until one matches

	effort    effort
	asText    string   // see text
	r         *request // nil until a rule reads JSON
	head      string   // what stands before the JSON that r has
	embedded  []string // the pointers of the rule that r was read for
	expanded  []string // those at which there was JSON in a text
	readable  bool
	unfolding bool // the JSON of the message was read, but not that in its texts
}

// text is the whole message.
func (d *messageReader) text() string {
	if d.asText == "" {
		d.asText = string(d.m.Payload)
	}
	return d.asText
}

// messageRules stand for the actions of an adapter, by which no message is decided: no parameters are declared.
var messageRules = &ruleSet{storedGraphQL: true}

// read parses the JSON after head, for a rule. It reports whether it can be read.
func (d *messageReader) read(rule *messageRule, head string, rest []byte) bool {
	isSame := d.r != nil && d.head == head && slices.Equal(d.embedded, rule.embedded)
	if !isSame {
		d.release()
		d.head, d.embedded, d.expanded = head, rule.embedded, nil
		d.r = requests.Get().(*request)
		d.r.rules = messageRules
		d.r.q = Query{Context: d.m.Context, Method: "POST", Body: rest, ContentType: "application/json"}
		d.readable = d.r.readJSON()
		d.unfolding = d.readable
		d.readable = d.readable && d.expand()
	}
	if d.r.graphqlAt != rule.graphqlAt {
		d.r.graphqlAt, d.r.graphql, d.r.graphState = rule.graphqlAt, nil, unparsed
	}
	return d.readable
}

// expand replaces each text that holds JSON by that JSON, so that pointers lead on into it.
func (d *messageReader) expand() bool {
	for _, pointer := range d.embedded {
		v, clear := valueAtPointer(d.r.json.Root(), pointer)
		switch {
		case !clear:
			return false
		case isNothing(v):
			continue
		case v.Kind() != body.JSONString:
			return false
		}

		var inner body.JSON
		if inner.Parse([]byte(v.Text()), body.JSONOptions{MaxValues: maxMessageValues}) != nil {
			return false
		}
		start, end := v.Span()
		whole := d.r.json.Bytes()
		if d.r.json.Parse(slices.Concat(whole[:start], inner.Bytes(), whole[end:]), body.JSONOptions{MaxValues: maxJSONValues}) != nil {
			return false
		}
		d.expanded = append(d.expanded, pointer)
	}
	return true
}

// payload is the message that was matched, with its JSON rewritten.
func (d *messageReader) payload() []byte {
	if !d.matched.readsJSON {
		return d.m.Payload
	}

	text := bytes.Clone(d.r.json.Bytes())
	for i := len(d.expanded) - 1; i >= 0; i-- { // back into the texts, inner ones first
		var doc body.JSON
		if doc.Parse(text, body.JSONOptions{}) != nil {
			return nil // cannot be: the text is canonical
		}
		v, _ := valueAtPointer(doc.Root(), d.expanded[i])
		start, end := v.Span()
		text = slices.Concat(text[:start], body.AppendJSONString(nil, string(text[start:end])), text[end:])
	}
	return slices.Concat([]byte(d.head), text)
}

// judged is what of the message that was matched is judged.
func (d *messageReader) judged() readMessage {
	if !d.matched.readsJSON {
		return readMessage{text: d.m.Payload}
	}
	return readMessage{text: []byte(d.head), json: &d.r.json}
}

// doubt says why the message cannot be read as a rule needs it.
func (d *messageReader) doubt(rule *messageRule, o outcome) string {
	switch {
	case o.place != inBody:
		return doubtfulMessage
	case !d.readable && d.unfolding:
		return unreadableEmbedded
	case !d.readable:
		return unreadableMessage
	case rule.graphql != nil:
		return unreadableGraphQL
	}
	return doubtfulMessage
}

// release gives back what was parsed.
func (d *messageReader) release() {
	if d.r != nil {
		d.r.release()
		d.r = nil
	}
}

// maxMessageValues bounds the values and keys of a message, each of which takes memory.
const maxMessageValues = 1 << 18

// readUnnamed reads a message of a WebSocket whose action has no messages. If it is JSON it is rewritten. If it begins
// like JSON and is not, some applications may read what others do not.
func (s *Socket) readUnnamed(m SocketMessage) (payload []byte, read readMessage, refused *MessageRefusal) {
	read = readMessage{text: m.Payload}
	if m.Binary {
		if !s.rules.binary {
			refused = &MessageRefusal{}
		}
		return m.Payload, read, refused
	}

	start := bytes.TrimLeft(bytes.TrimPrefix(m.Payload, []byte("\ufeff")), " \t\r\n\v\f\u00a0")
	if len(start) == 0 || !strings.ContainsRune("{[", rune(start[0])) {
		return m.Payload, read, nil
	}

	var doc body.JSON
	if err := doc.Parse(m.Payload, body.JSONOptions{MaxValues: maxMessageValues}); err != nil {
		return nil, readMessage{}, &MessageRefusal{Ambiguous: unreadableMessage}
	}
	return doc.Bytes(), readMessage{json: &doc}, nil
}
