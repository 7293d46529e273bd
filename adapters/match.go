package adapters

// Query is what Classify looks at. Path and RawQuery are as received: undecoded, the query without "?".
type Query struct {
	Method, Path, RawQuery, ContentType string
	Fields                              []Field // the header, for actions that go by one
	Body                                []byte  // the start of the body, where NeedsBody asked for it
	Truncated                           bool    // the body is longer than Body
}

// Action is what a request does, and to what.
type Action struct {
	Name, Resource string
	Privileged     bool // only its exact name grants it
	Safe           bool // it changes nothing, although its method may
	Login          bool // a login page or the login request of the recipe: refused to agents whatever the policy says
}

// verdict of one rule.
type verdict uint8

const (
	differs   verdict = iota // another rule may match
	matches                  //
	unsure                   // what the rule needs cannot be read without doubt: the request stays unclassified
	needsBody                // NeedsBody only: the body decides
)

// Classify names the action of a request. False: no action matches, or the request can be read in two ways (a
// declared parameter that comes twice, a path or query that does not decode, a body that is cut off or of an unclear
// type where a field decides); the caller refuses it. Safe for concurrent use.
func (a *Adapter) Classify(q Query) (Action, bool) {
	r := readings.Get().(*reading)
	defer r.done()
	if !r.init(a.rules, q) {
		return Action{}, false
	}
	if r.override() != matches {
		return Action{}, false
	}
	for _, rule := range a.rules.candidates(r.method, r.path) {
		var bound [maxSlots]string
		switch rule.match(r, &bound) {
		case matches:
			return rule.action(&bound), true
		case unsure, needsBody:
			return Action{}, false
		}
	}
	return Action{}, false
}

// NeedsBody reports whether the start of the body may decide the action: the caller then peeks into it. q.Body is not
// looked at. When it is false, Classify answers the same for any body and for none.
func (a *Adapter) NeedsBody(q Query) bool {
	r := readings.Get().(*reading)
	defer r.done()
	if !r.init(a.rules, q) {
		return false
	}
	if r.bodyUnknown = true; a.PutsJSON() {
		return true
	}
	if v := r.override(); v != matches {
		return v == needsBody
	}
	for _, rule := range a.rules.candidates(r.method, r.path) {
		var bound [maxSlots]string
		switch rule.match(r, &bound) {
		case matches, unsure:
			return false
		case needsBody:
			return true
		}
	}
	return false
}
