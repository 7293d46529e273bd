package adapters

import "strings"

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

// match tries the cheap conditions first; the body comes last. One condition that certainly does not hold is enough for
// differs, whatever is in doubt beside it.
func (rule *rule) match(r *reading, bound *[maxSlots]string) verdict {
	v := rule.matchAll(r, bound)
	for i := range rule.where {
		w := &rule.where[i]
		if value := bound[w.slot]; v == matches && value != "" && !w.fits.MatchString(value) {
			return differs
		}
	}
	return v
}

func (rule *rule) matchAll(r *reading, bound *[maxSlots]string) verdict {
	if !rule.methodFits(r.method) || !rule.pathFits(r, bound) {
		return differs
	}
	if len(rule.contentTypes) > 0 {
		if v := rule.typeFits(r); v != matches {
			return v
		}
	}
	doubt := false
	for i := range rule.header {
		if v := rule.header[i].fits(r.headerValue(rule.header[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	for i := range rule.query {
		if v := rule.query[i].fits(r.queryValue(rule.query[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	if v := rule.matchBody(r, bound); v != matches || !doubt {
		return v
	}
	return unsure
}

func (rule *rule) matchBody(r *reading, bound *[maxSlots]string) verdict {
	if len(rule.form)+len(rule.param)+len(rule.json)+len(rule.keys)+len(rule.xml) > 0 || rule.graphql != nil {
		if r.bodyUnknown {
			return needsBody // whatever the query says: a field of the same name in the body changes the verdict
		}
		if v := rule.matchFields(r, bound); v != matches {
			return v
		}
	}
	switch {
	case rule.only == nil:
		return matches
	case !rule.only.fitsPairs(rule.only.query, r.pairs, bound):
		return differs
	case r.bodyUnknown:
		return needsBody
	}
	return rule.only.fitsBody(r, rule.batch, bound)
}

func (rule *rule) matchFields(r *reading, bound *[maxSlots]string) verdict {
	if len(rule.form)+len(rule.param) > 0 && !r.readForm() {
		return unsure
	}
	doubt := false
	for i := range rule.form {
		if v := rule.form[i].fits(r.formValue(rule.form[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	for i := range rule.param {
		if v := rule.param[i].fits(r.paramValue(rule.param[i].key), bound); v == differs {
			return differs
		} else if v == unsure {
			doubt = true
		}
	}
	if doubt {
		return unsure
	}
	if len(rule.json)+len(rule.keys) > 0 {
		if !r.readJSON() {
			return unsure
		}
		if _, list := r.json.([]any); list && !rule.readsList() {
			return differs
		}
		for _, call := range r.calls(rule.batch) {
			for i := range rule.json {
				if v := rule.json[i].fits(jsonAt(call, rule.json[i].key), bound); v != matches {
					return v
				}
			}
			if !rule.keysFit(call) {
				return differs
			}
		}
	}
	if len(rule.xml) > 0 && !r.readXML() {
		return unsure
	}
	for i := range rule.xml {
		if v := rule.xml[i].fits(r.xmlRoot.at(rule.xml[i].key), bound); v != matches {
			return v
		}
	}
	if rule.graphql != nil {
		return rule.graphql.match(r, rule.batch, bound)
	}
	return matches
}

// readsList: the rule is for a body that is a list, as a batch or by the numbers in its pointers. For any other rule the
// conditions on what is absent would hold for every list.
func (rule *rule) readsList() bool {
	for i := range rule.json {
		if c := rule.json[i].key[0]; !rule.batch && (c < '0' || c > '9') {
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

// typeFits is unsure about a header that two servers may read differently; no header is no type.
func (rule *rule) typeFits(r *reading) verdict {
	if r.q.ContentType == "" {
		switch {
		case r.bodyUnknown:
			return needsBody
		case len(r.q.Body) > 0 || r.q.Truncated:
			return unsure
		}
		return differs
	}
	media, ok := r.mediaType()
	if !ok {
		return unsure
	}
	var none [maxSlots]string
	for i := range rule.contentTypes {
		if rule.contentTypes[i].match(media, &none) {
			return matches
		}
	}
	return differs
}

func (rule *rule) action(bound *[maxSlots]string) Action {
	act := rule.names
	if act.Resource = rule.plainResource; rule.resource != nil {
		act.Resource = fill(rule.resource, bound)
	}
	return act
}

// fill writes a template over bound variables.
func fill(template []part, bound *[maxSlots]string) string {
	var b strings.Builder
	for i := range template {
		p := &template[i]
		if !p.wild {
			b.WriteString(p.text)
			continue
		}
		value := bound[p.slot]
		for _, f := range p.filters {
			value = f(value)
		}
		b.WriteString(value)
	}
	return b.String()
}

// fits tries the alternatives in order.
func (c *cond) fits(value field, bound *[maxSlots]string) verdict {
	switch value.state {
	case doubtful:
		return unsure
	case absent:
		if c.absent {
			return matches
		}
		return differs
	}
	if value.text == "" && c.absent {
		return matches
	}
	for i := range c.patterns {
		saved := *bound
		if c.patterns[i].match(value.text, bound) {
			return matches
		}
		*bound = saved
	}
	return differs
}
