package adapters

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// socketRules are the compiled rules for the messages of the WebSockets that an action opens.
type socketRules struct {
	rules   []messageRule // nil: messages are part of the action
	binary  bool          // without rules: binary messages pass
	framing FramingSpec
}

// messageRule is one entry of messages. A rule for text messages is that of a request whose body is the message.
type messageRule struct {
	*rule
	binary    bool
	text      []valueTest // none, or one
	prefix    []pattern   // nil: the message begins with its JSON
	embedded  []string    // pointers to texts that hold JSON
	graphqlAt string      // pointer to the GraphQL request; "" if the rule has no graphql
	readsJSON bool
}

// compileSocket compiles the messages of an action. bound are the variables that the action's own match binds.
func compileSocket(spec *ActionSpec, bound variables) (*socketRules, []keyedError) {
	s := &socketRules{binary: spec.Binary, framing: spec.Framing}
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
	// Text and prefix are compiled first, into a separate rule, so that where and resource know the variables.
	plain := ruleCompiler{rule: &rule{variables: slices.Clone(bound)}}
	var tests []valueTest
	if m.Match.Text != nil {
		tests = plain.compileTests("text", map[string]Strings{"": m.Match.Text}, m.Match.Fold)
	}
	for i := range plain.errs {
		plain.errs[i].key = ".match.text"
	}
	var prefix []pattern
	for _, text := range m.Match.Prefix {
		p, err := compilePattern(text, &plain.rule.variables, false)
		plain.report(".match.prefix", err)
		prefix = append(prefix, p)
	}

	compiled, errs := compileRuleWith(plain.rule.variables, ActionSpec{
		Name: m.Name, Privileged: m.Privileged, Resource: m.Resource,
		Match: MatchSpec{JSON: m.Match.JSON, Only: m.Match.Only, Keys: m.Match.Keys, GraphQL: m.Match.GraphQL,
			Where: m.Match.Where, Batch: m.Match.Batch, Fold: m.Match.Fold},
	}, false)
	r := messageRule{
		rule: compiled, binary: m.Binary, text: tests, prefix: prefix, embedded: m.Match.Embedded,
		readsJSON: compiled.readsBody() || compiled.only != nil || len(m.Match.Embedded) > 0,
	}
	if compiled.graphql != nil {
		r.graphqlAt = m.Match.graphQLPointer()
		if compiled.only != nil {
			compiled.only.allowKey(r.graphqlAt)
		}
	}
	return r, append(plain.errs, errs...)
}

// graphQLPointer is graphql_at or its default.
func (m *MessageMatchSpec) graphQLPointer() string {
	if m.GraphQLAt == "" {
		return "payload"
	}
	return m.GraphQLAt
}

// Socket reads the messages that an agent sends on one WebSocket. It is immutable and safe for concurrent use.
type Socket struct {
	rules *socketRules
	bound bindings // by the request that opened the WebSocket
}

// match tries a rule, and binds its variables.
func (rule *messageRule) match(d *messageReader, b *bindings) outcome {
	if rule.binary || d.m.Binary {
		if rule.binary && d.m.Binary {
			return outcome{verdict: matches}
		}
		return outcome{verdict: differs, place: inText}
	}

	if o := rule.matchText(d, b); o.verdict != matches {
		return o
	}
	return rule.matchWhere(&d.effort, b)
}

// matchText tries the conditions on a text message but those on the values of variables.
func (rule *messageRule) matchText(d *messageReader, b *bindings) outcome {
	if rule.text != nil {
		if v := rule.text[0].fits(value{text: d.text(), state: present}, b, &d.effort); v != matches {
			return outcome{verdict: v, place: inText}
		}
	}
	head, rest, found := rule.cutPrefix(d.m.Payload, b)
	if !found {
		return outcome{verdict: differs, place: inPrefix}
	}
	if !rule.readsJSON {
		return outcome{verdict: matches}
	}

	if len(rest) == 0 {
		return outcome{verdict: differs, place: inText}
	}
	if !d.read(rule, head, rest) {
		return outcome{verdict: unsure, place: inBody}
	}
	return rule.matchBody(d.r, b)
}

// cutPrefix divides a message into the text before its JSON, which fits a pattern of prefix, and the JSON.
func (rule *messageRule) cutPrefix(message []byte, b *bindings) (head string, rest []byte, found bool) {
	if rule.prefix == nil {
		return "", message, true
	}

	begin := bytes.IndexAny(message, "{[\"")
	if begin < 0 { // the JSON may be a number, of which a variable would take some digits
		for i := range rule.prefix {
			p := &rule.prefix[i]
			if rest, found := bytes.CutPrefix(message, []byte(p.literal)); found && p.plain {
				return p.literal, rest, true
			}
		}
		return "", nil, false
	}

	head = string(bytes.TrimRight(message[:begin], " \t\r\n"))
	if len(head) > maxMatchedValue {
		return "", nil, false
	}
	for i := range rule.prefix {
		p := &rule.prefix[i]
		saved := *b
		if (p.plain || text.IsClear(head)) && p.match(head, b) {
			return head, message[begin:], true
		}
		*b = saved
	}
	return "", nil, false
}
