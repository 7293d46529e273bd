package adapters

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// socketRules are the compiled rules for the messages of the WebSockets that an action opens.
type socketRules struct {
	rules  []messageRule // nil: messages are part of the action
	binary bool          // without rules: binary messages pass
}

// messageRule is one entry of messages. A rule for text messages is that of a request whose body is the message.
type messageRule struct {
	*rule
	binary    bool
	text      []valueTest // none, or one
	prefix    string
	readsJSON bool
}

// compileSocket compiles the messages of an action. bound are the variables that the action's own match binds.
func compileSocket(spec *ActionSpec, bound variables) (*socketRules, []keyedError) {
	s := &socketRules{binary: spec.Binary}
	var all []keyedError
	for i := range spec.Messages {
		m := &spec.Messages[i]
		r, errs := compileMessage(m, bound)
		for _, e := range errs {
			all = append(all, keyedError{fmt.Sprintf(".messages[%d]%s", i, e.key), e.err})
		}
		s.rules = append(s.rules, r)
	}
	return s, all
}

func compileMessage(m *MessageSpec, bound variables) (messageRule, []keyedError) {
	// Text is compiled first, into a rule of its own, so that where and resource know the variables.
	text := ruleCompiler{rule: &rule{variables: slices.Clone(bound)}}
	var tests []valueTest
	if m.Match.Text != nil {
		tests = text.compileTests("text", map[string]Strings{"": m.Match.Text}, m.Match.Fold)
	}
	for i := range text.errs {
		text.errs[i].key = ".match.text"
	}

	compiled, errs := compileRuleWith(text.rule.variables, ActionSpec{
		Name: m.Name, Privileged: m.Privileged, Resource: m.Resource,
		Match: MatchSpec{JSON: m.Match.JSON, Only: m.Match.Only, Keys: m.Match.Keys, Where: m.Match.Where, Batch: m.Match.Batch, Fold: m.Match.Fold},
	}, false)
	return messageRule{
		rule: compiled, binary: m.Binary, text: tests, prefix: m.Match.Prefix,
		readsJSON: compiled.readsBody() || compiled.only != nil,
	}, append(text.errs, errs...)
}

// Socket reads the messages that an agent sends on one WebSocket. It is immutable and safe for concurrent use.
type Socket struct {
	rules *socketRules
	bound bindings // by the request that opened the WebSocket
}

// SocketMessage is one whole message of an agent.
type SocketMessage struct {
	Binary  bool
	Payload []byte
	Session *Session // that the WebSocket was opened with

	// Context ends the classification: no further rule is tried. Nil never ends it.
	Context context.Context
}

// MessageReading is what the adapter makes of a message.
type MessageReading struct {
	// Action is what the message does. Its name is "" if the message is part of the action that opened the WebSocket.
	Action Action

	// Payload is what may be sent. It is the agent's own, or JSON that was rewritten.
	Payload []byte
}

// MessageRefusal says why a message must not be sent. It holds nothing of the message but names in Borrowed.
type MessageRefusal struct {
	Ambiguous string     // why the message cannot be read without doubt; "" if it can
	Borrowed  []Borrowed // the credentials in it
	// If neither is set, no rule matches.
}

// ReadMessage names the action of a message, looks for credentials in it, and returns what may be sent. JSON is written
// anew, so that what was judged is what the application reads. It returns a refusal if no rule matches, if the message
// can be read in two ways, or if it holds a credential.
func (a *Adapter) ReadMessage(s *Socket, m SocketMessage) (MessageReading, *MessageRefusal) {
	reading, read, refused := s.classify(m)
	if refused != nil {
		return MessageReading{}, refused
	}

	borrowed := a.judgeMessage(m.Session, read)
	if len(borrowed) > 0 {
		return MessageReading{}, &MessageRefusal{Borrowed: borrowed}
	}
	return reading, nil
}

// readMessage is a message as it was read: text, and the JSON in it.
type readMessage struct {
	text []byte
	json *body.JSON // nil if no JSON was read
}

// classify names the action of a message.
func (s *Socket) classify(m SocketMessage) (MessageReading, readMessage, *MessageRefusal) {
	none := MessageReading{Payload: m.Payload}
	if s.rules.rules == nil {
		switch {
		case m.Binary && s.rules.binary:
			return none, readMessage{text: m.Payload}, nil
		case m.Binary:
			return none, readMessage{}, &MessageRefusal{}
		}
		return readFreely(m.Payload)
	}

	for i := range s.rules.rules {
		if m.Context != nil && m.Context.Err() != nil {
			break
		}
		rule := &s.rules.rules[i]
		b := s.bound
		verdict, doc, why := rule.match(m, &b)
		switch verdict {
		case matches:
			return rule.write(m, doc, rule.action(&b))
		case unsure, needsBody:
			return none, readMessage{}, &MessageRefusal{Ambiguous: why}
		}
	}
	return none, readMessage{}, &MessageRefusal{}
}

// The reasons why a message cannot be read without doubt.
const (
	unreadableMessage = "it is not one JSON value with every key once"
	doubtfulMessage   = "a value in it that decides can be read in two ways"
)

// match tries a rule, and binds its variables. doc is the JSON that was read, if the rule reads any; why says what is in
// doubt.
func (rule *messageRule) match(m SocketMessage, b *bindings) (v verdict, doc *body.JSON, why string) {
	if rule.binary || m.Binary {
		if rule.binary && m.Binary {
			return matches, nil, ""
		}
		return differs, nil, ""
	}

	if rule.text != nil {
		v := rule.text[0].fits(value{text: string(m.Payload), state: present}, b)
		if v != matches {
			return v, nil, doubtfulMessage
		}
	}
	rest, found := bytes.CutPrefix(m.Payload, []byte(rule.prefix))
	if !found || rule.readsJSON && len(rest) == 0 {
		return differs, nil, ""
	}

	r := requests.Get().(*request)
	defer r.release()
	r.q = Query{Context: m.Context, Method: "POST", Body: rest, ContentType: "application/json"}
	if rule.readsJSON && !r.readJSON() {
		return unsure, nil, unreadableMessage
	}
	if v := rule.matchMessage(r, b); v != matches || !rule.readsJSON {
		return v, nil, doubtfulMessage
	}
	doc = &body.JSON{}
	*doc, r.json = r.json, body.JSON{}
	return matches, doc, ""
}

// matchMessage is match for a rule that is about a body alone.
func (rule *rule) matchMessage(r *request, b *bindings) verdict {
	if o := rule.matchBody(r, b); o.verdict != matches {
		return o.verdict
	}
	for i := range rule.where {
		w := &rule.where[i]
		bound := b[w.variable]
		if bound == "" || !w.expression.MatchString(bound) {
			return differs
		}
	}
	return matches
}

// write returns a message that matches, with the JSON in it rewritten.
func (rule *messageRule) write(m SocketMessage, doc *body.JSON, action Action) (MessageReading, readMessage, *MessageRefusal) {
	out := MessageReading{Action: action, Payload: m.Payload}
	if doc != nil {
		out.Payload = append([]byte(rule.prefix), doc.Bytes()...)
	}
	return out, readMessage{text: m.Payload, json: doc}, nil
}

// maxMessageValues bounds the values and keys of a message, each of which takes memory.
const maxMessageValues = 1 << 18

// readFreely reads a text message that no rule is about. If it is JSON it is rewritten. If it begins like JSON and
// is not, some applications may read what others do not.
func readFreely(payload []byte) (MessageReading, readMessage, *MessageRefusal) {
	out, read := MessageReading{Payload: payload}, readMessage{text: payload}
	start := bytes.TrimLeft(bytes.TrimPrefix(payload, []byte("\ufeff")), " \t\r\n\v\f\u00a0")
	if len(start) == 0 || !strings.ContainsRune("{[", rune(start[0])) {
		return out, read, nil
	}

	var doc body.JSON
	if err := doc.Parse(payload, body.JSONOptions{MaxValues: maxMessageValues}); err != nil {
		return out, read, &MessageRefusal{Ambiguous: unreadableMessage}
	}
	read.json = &doc
	out.Payload = doc.Bytes()
	return out, read, nil
}
