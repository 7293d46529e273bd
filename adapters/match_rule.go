package adapters

import (
	"regexp"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// rule is one compiled action: the conditions on a request, and what the request is called when all of them hold.
type rule struct {
	names         Action // without the resource
	plainResource string // the resource, if it has no variables
	resource      []part // the template of the resource; nil: plainResource

	methods      []string // nil: every method
	paths        []pathPattern
	contentTypes []pattern
	header       []valueTest
	query        []valueTest
	form         []valueTest
	param        []valueTest
	json         []valueTest
	keys         []keysTest
	xml          []valueTest
	graphql      *graphqlTest  // nil: none
	only         *allowedNames // nil: any further parameter may come
	where        []variableTest
	batch        bool // a JSON body may be a list of calls
	verbatim     bool // the body goes out as it came
	variables    variables
	socket       *socketRules // nil: the request must not open a WebSocket
}

// valueTest is a condition on one value: a parameter, a header field, a member of a body.
type valueTest struct {
	key      string
	patterns []pattern
	absent   bool // the value may be absent or empty
}

// keysTest is a condition on the keys of an object in a JSON body.
type keysTest struct {
	path    []string
	allowed []pattern
}

// variableTest is a condition on the value of a variable.
type variableTest struct {
	variable   int
	expression *regexp.Regexp // matches the whole value
}

// place is where in a request a condition looks, in the order in which conditions are tried: cheap ones first, the body
// last.
type place uint8

const (
	inMethod place = iota
	inPath
	inContentType
	inHeader
	inQuery
	inForm
	inParam
	inJSON
	inKeys
	inXML
	inGraphQL
	inBody // the body as a whole, where it cannot be read
	inOnly
	inWhere

	// Of a message on a WebSocket.
	inText
	inPrefix
)

// placeNames are the keys of match.
var placeNames = [...]string{
	inMethod: "method", inPath: "path", inContentType: "content_type", inHeader: "header", inQuery: "query", inForm: "form",
	inParam: "param", inJSON: "json", inKeys: "keys", inXML: "xml", inGraphQL: "graphql", inBody: "body", inOnly: "only", inWhere: "where",
	inText: "text", inPrefix: "prefix",
}

// outcome is a verdict with the condition that decided. The condition means nothing if the verdict is matches. It is
// small and made of constants, because most requests are asked about some rules that they do not match.
type outcome struct {
	verdict verdict
	place   place
	index   int    // of the condition within its place
	name    string // inOnly: the name that is not listed
}

// match tries the conditions of the rule, and binds the variables. One condition that certainly does not hold is enough
// for differs, whatever is in doubt besides.
func (rule *rule) match(r *request, b *bindings) outcome {
	o := rule.matchConditions(r, b)
	if o.verdict != matches {
		return o
	}

	return rule.matchWhere(&r.effort, b)
}

// matchWhere tries the conditions on the values of variables.
func (rule *rule) matchWhere(e *effort, b *bindings) outcome {
	for i := range rule.where {
		w := &rule.where[i]
		bound := b[w.variable]
		if len(bound) > maxMatchedValue || !e.spend(bound, whereEffort) {
			return outcome{verdict: unsure, place: inWhere, index: i}
		}
		if bound == "" || !w.expression.MatchString(bound) {
			return outcome{verdict: differs, place: inWhere, index: i}
		}
	}
	return outcome{verdict: matches}
}

// matchConditions tries all conditions but those on the values of variables.
func (rule *rule) matchConditions(r *request, b *bindings) outcome {
	if !rule.methodFits(r.method) {
		return outcome{verdict: differs, place: inMethod}
	}
	if !rule.pathFits(r, b) {
		return outcome{verdict: differs, place: inPath}
	}
	if v := rule.contentTypeFits(r); v != matches {
		return outcome{verdict: v, place: inContentType}
	}

	head := outcome{verdict: matches} // the first doubt about the head
	for i := range rule.header {
		t := &rule.header[i]
		switch t.fits(r.headerValue(t.key), b, &r.effort) {
		case differs:
			return outcome{verdict: differs, place: inHeader, index: i}
		case unsure:
			head = firstDoubt(head, inHeader, i)
		}
	}
	for i := range rule.query {
		t := &rule.query[i]
		switch t.fits(r.queryValue(t.key), b, &r.effort) {
		case differs:
			return outcome{verdict: differs, place: inQuery, index: i}
		case unsure:
			head = firstDoubt(head, inQuery, i)
		}
	}

	if o := rule.matchBody(r, b); o.verdict != matches {
		return o
	}
	return head
}

// headDiffers reports whether the head alone shows that the request is not the rule's action.
func (rule *rule) headDiffers(r *request, b *bindings) bool {
	if !rule.methodFits(r.method) || !rule.pathFits(r, b) || rule.contentTypeFits(r) == differs {
		return true
	}
	for i := range rule.header {
		if rule.header[i].fits(r.headerValue(rule.header[i].key), b, &r.effort) == differs {
			return true
		}
	}
	for i := range rule.query {
		if rule.query[i].fits(r.queryValue(rule.query[i].key), b, &r.effort) == differs {
			return true
		}
	}
	return false
}

// firstDoubt is the doubt so far, or else one about a condition.
func firstDoubt(so outcome, p place, index int) outcome {
	if so.verdict != matches {
		return so
	}
	return outcome{verdict: unsure, place: p, index: index}
}

// matchBody tries the conditions that the body may decide.
func (rule *rule) matchBody(r *request, b *bindings) outcome {
	if rule.readsBody() {
		// Also where the query has the parameter: a field of the same name in the body would change the verdict.
		if r.bodyUnknown {
			return outcome{verdict: needsBody}
		}
		if o := rule.matchFields(r, b); o.verdict != matches {
			return o
		}
	}

	if rule.only == nil {
		return outcome{verdict: matches}
	}
	r.paramsDecide = true
	if o := rule.only.fitsParams(inOnlyQuery, r.params, b); o.verdict != matches {
		return o
	}
	if r.bodyUnknown {
		return outcome{verdict: needsBody}
	}
	return rule.only.fitsBody(r, rule.batch, b)
}

// readsBody reports whether a condition other than only may look at the body.
func (rule *rule) readsBody() bool {
	return len(rule.form)+len(rule.param)+len(rule.json)+len(rule.keys)+len(rule.xml) > 0 || rule.graphql != nil
}

func (rule *rule) matchFields(r *request, b *bindings) outcome {
	if o := rule.matchForm(r, b); o.verdict != matches {
		return o
	}
	if o := rule.matchJSON(r, b); o.verdict != matches {
		return o
	}
	if o := rule.matchXML(r, b); o.verdict != matches {
		return o
	}
	if rule.graphql != nil {
		return rule.graphql.match(r, rule.batch, b)
	}
	return outcome{verdict: matches}
}

func (rule *rule) matchForm(r *request, b *bindings) outcome {
	if len(rule.form)+len(rule.param) == 0 {
		return outcome{verdict: matches}
	}
	if !r.readForm() {
		return outcome{verdict: unsure, place: inBody}
	}

	o := outcome{verdict: matches}
	for i := range rule.form {
		t := &rule.form[i]
		switch v := r.formValue(t.key); t.fits(v, b, &r.effort) {
		case differs:
			return outcome{verdict: differs, place: inForm, index: i}
		case unsure:
			o = firstDoubt(o, inForm, i)
		case matches:
			if rule.queryContradicts(r, t, v, b) {
				o = firstDoubt(o, inForm, i)
			}
		}
	}
	for i := range rule.param {
		t := &rule.param[i]
		switch t.fits(r.paramValue(t.key), b, &r.effort) {
		case differs:
			return outcome{verdict: differs, place: inParam, index: i}
		case unsure:
			o = firstDoubt(o, inParam, i)
		}
	}
	return o
}

// matchJSON: every call of a batch must fit.
func (rule *rule) matchJSON(r *request, b *bindings) outcome {
	if len(rule.json)+len(rule.keys) == 0 {
		return outcome{verdict: matches}
	}
	if !r.readJSON() {
		return outcome{verdict: unsure, place: inBody}
	}
	if r.json.Root().Kind() == body.JSONArray && !rule.readsList() {
		return outcome{verdict: differs, place: inJSONOrKeys(rule)}
	}

	for _, call := range r.calls(rule.batch) {
		for i := range rule.json {
			t := &rule.json[i]
			if v := t.fits(jsonAt(call, t.key), b, &r.effort); v != matches {
				return outcome{verdict: v, place: inJSON, index: i}
			}
		}
		for i := range rule.keys {
			if !rule.keys[i].fits(call) {
				return outcome{verdict: differs, place: inKeys, index: i}
			}
		}
	}
	return outcome{verdict: matches}
}

// inJSONOrKeys is the place of the first condition that a rule has on a JSON body.
func inJSONOrKeys(rule *rule) place {
	if len(rule.json) > 0 {
		return inJSON
	}
	return inKeys
}

func (rule *rule) matchXML(r *request, b *bindings) outcome {
	if len(rule.xml) == 0 {
		return outcome{verdict: matches}
	}
	if !r.readXML() {
		return outcome{verdict: unsure, place: inBody}
	}

	for i := range rule.xml {
		t := &rule.xml[i]
		if v := t.fits(xmlAt(r.xml, t.key), b, &r.effort); v != matches {
			return outcome{verdict: v, place: inXML, index: i}
		}
	}
	return outcome{verdict: matches}
}

// readsList reports whether the rule is for a body that is a list: a batch, or one into which its pointers lead by
// numbers. For any other rule the conditions on what is absent would hold for every list.
func (rule *rule) readsList() bool {
	for i := range rule.json {
		first := rule.json[i].key[0]
		if !rule.batch && (first < '0' || first > '9') {
			return false
		}
	}
	return true
}

func (rule *rule) methodFits(method string) bool {
	if len(rule.methods) == 0 {
		return true
	}
	for _, m := range rule.methods {
		if m == method {
			return true
		}
	}
	return false
}

// pathFits binds the variables of the first path that fits.
func (rule *rule) pathFits(r *request, b *bindings) bool {
	for i := range rule.paths {
		saved := *b
		if rule.paths[i].match(r.path, b) {
			return true
		}
		*b = saved
	}
	return false
}

// contentTypeFits is unsure about a header that two servers may read differently. A request without a body and without
// the header has no type.
func (rule *rule) contentTypeFits(r *request) verdict {
	if len(rule.contentTypes) == 0 {
		return matches
	}

	media, ok := r.mediaType()
	if !ok {
		return unsure
	}
	if r.q.NoBody {
		media = "" // the field does not go out
	}
	if media == "" {
		switch {
		case r.bodyUnknown:
			return needsBody
		case r.hasBody():
			return unsure
		}
		return differs
	}

	var none bindings
	for i := range rule.contentTypes {
		if rule.contentTypes[i].match(media, &none) {
			return matches
		}
	}
	return differs
}

// fits tries the patterns in order. e is the effort of all tests of the request.
func (t *valueTest) fits(v value, b *bindings, e *effort) verdict {
	switch v.state {
	case doubtful:
		return unsure
	case absent:
		if t.absent {
			return matches
		}
		return differs
	}
	if v.text == "" && t.absent {
		return matches
	}

	for i := range t.patterns {
		p := &t.patterns[i]
		if v.inexact && !p.isAnything() {
			return unsure
		}
		if p.endsOtherwise(v.text) {
			continue
		}
		if !p.isTrivial() && (len(v.text) > maxMatchedValue || !e.spend(v.text, len(p.parts))) {
			return unsure
		}
		saved := *b
		if p.match(v.text, b) {
			return matches
		}
		*b = saved
	}
	return differs
}

// maxMatchedValue is the length in bytes of the longest value that is matched against a pattern, except against plain
// text, * and {var}. Values that decide are short; one that is longer is in doubt.
const maxMatchedValue = 64 << 10

// action is what a request that matches is called.
func (rule *rule) action(b *bindings) Action {
	act := rule.names
	act.Resource = rule.plainResource
	if rule.resource != nil {
		act.Resource = fillTemplate(rule.resource, b)
	}
	if rule.socket != nil {
		act.Socket = &Socket{rules: rule.socket, bound: *b}
	}
	return act
}

// fillTemplate writes a template with the values of its variables. An ellipsis stands for a value that is a credential.
func fillTemplate(template []part, b *bindings) string {
	var out strings.Builder
	for i := range template {
		p := &template[i]
		if !p.wild {
			out.WriteString(p.text)
			continue
		}

		bound := b[p.variable]
		for _, filter := range p.filters {
			bound = filter(bound)
		}
		if len(bound) >= minPathCredential && credential.Segment(bound).IsCredential() {
			bound = pathEllipsis // records show resources
		}
		out.WriteString(bound)
	}
	return out.String()
}
