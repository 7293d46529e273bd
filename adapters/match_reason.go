package adapters

import (
	"cmp"
	"slices"
	"strings"
)

// Reason says why [Adapter.Classify] names no action for a request. It holds no values of the request. Names that only
// the request has, which may be anything, are shown on demand: see Lines.
type Reason struct {
	Kind ReasonKind

	// Nearest are the actions that come nearest, and what keeps the request from being each of them: first the one that
	// cannot be told, then those of which most conditions hold. It is empty if Kind is about the whole request, and if
	// no action has the request's path. It has at most maxNearest entries.
	Nearest []Miss

	doubt doubt
}

// ReasonKind is the kind of a Reason. Its text can follow "because".
type ReasonKind string

// The kinds of reasons.
const (
	// NoActionMatches: the request can be read, and no action names it.
	NoActionMatches ReasonKind = "no action matches"

	// AmbiguousPath: two applications may read the path differently. It may hold an encoded slash, a dot segment, a
	// semicolon or an invisible character.
	AmbiguousPath ReasonKind = "the path can be read in two ways"

	// AmbiguousQuery: two applications may read the query differently. A name in it may be taken for one that an
	// action decides by.
	AmbiguousQuery ReasonKind = "the query can be read in two ways"

	// AmbiguousContentType: two applications may read the Content-Type differently, and by its charset the query.
	AmbiguousContentType ReasonKind = "the Content-Type can be read in two ways"

	// AmbiguousMethod: the request names two methods in the places that method_override lists, or one where none may
	// be.
	AmbiguousMethod ReasonKind = "the method that stands for POST can be read in two ways"

	// AmbiguousValue: a value that an action decides by comes twice, or cannot be read as one value.
	AmbiguousValue ReasonKind = "a value that decides can be read in two ways"

	// UnreadableBody: an action decides by the body, and the body cannot be read without doubt.
	UnreadableBody ReasonKind = "the body cannot be read without doubt"

	// BodyTooLong: an action decides by the body, of which only the start is known.
	BodyTooLong ReasonKind = "the body is longer than what is read of it"
)

// maxNearest bounds Reason.Nearest.
const maxNearest = 4

// Miss is one action that a request is not.
type Miss struct {
	Action  string // its name
	Unclear bool   // whether the request is this action cannot be told, so no action after it is tried

	failed outcome
	key    string // the parameter, field, pointer or variable whose condition decided; "" if the place has no keys
	method string // of the request
	doubt  doubt
	held   int // conditions that hold, to compare actions by
}

// doubt is what in a request can be read in two ways. The zero value says nothing.
type doubt struct {
	why  string // the end of a sentence about name, or about the part of the request
	name string // a name that only the request has; "" if why is not about a name
}

func (d doubt) text(names bool) string {
	switch {
	case d.why == "":
		return ""
	case d.name == "":
		return ": " + d.why
	}
	return ": " + shownName(d.name, names) + " " + d.why
}

// shownName is a name that the request chose, or a stand-in for it.
func shownName(name string, names bool) string {
	if names {
		return name
	}
	return "…"
}

// Lines says the reason in words: one line about the whole request, or one line for each of the nearest actions. Names
// that only the request has are written as … unless names is true.
func (r *Reason) Lines(names bool) []string {
	if r.Kind == NoActionMatches && len(r.Nearest) == 0 {
		return []string{"no action has this path"}
	}
	if len(r.Nearest) == 0 {
		return []string{string(r.Kind) + r.doubt.text(names)}
	}

	lines := make([]string, len(r.Nearest))
	for i := range r.Nearest {
		lines[i] = r.Nearest[i].text(names)
	}
	return lines
}

// Doubt says in words why the request can be read in two ways, for whoever sent it. It holds names of the request but no
// values.
func (r *Reason) Doubt() string {
	if len(r.Nearest) == 0 || !r.Nearest[0].Unclear {
		return string(r.Kind) + r.doubt.text(true)
	}
	m := &r.Nearest[0]
	return "for the action " + m.Action + " " + m.why(true)
}

// text is one line about an action that the request is not.
func (m *Miss) text(names bool) string {
	line := m.Action + ": " + m.why(names)
	if m.Unclear {
		line += ", so no action after it is tried"
	}
	return line
}

func (m *Miss) why(names bool) string {
	switch m.failed.place {
	case inMethod:
		return "the method is " + m.method
	case inBody:
		return string(m.bodyKind()) + m.doubt.text(names)
	case inKeys:
		return "keys of " + cmp.Or(m.key, "the body") + " do not fit"
	case inOnly:
		return "only does not list the " + onlyPlaces[m.failed.index] + " " + shownName(m.failed.name, names)
	}

	subject := placeNames[m.failed.place]
	if m.key != "" {
		subject += " " + m.key
	}
	switch {
	case m.Unclear && m.failed.place == inContentType:
		return subject + " cannot be told"
	case m.Unclear && m.failed.place == inForm:
		return subject + " comes twice or in the query as well, is too long to match, or cannot be read as one value"
	case m.Unclear:
		return subject + " comes twice, is too long to match, or cannot be read as one value"
	}
	return subject + " does not fit"
}

// bodyKind tells a body that is too long from one that cannot be read.
func (m *Miss) bodyKind() ReasonKind {
	if m.doubt.why == doubtTruncated {
		return BodyTooLong
	}
	return UnreadableBody
}

// reason is a Reason about the whole request.
func (r *request) reason(kind ReasonKind) *Reason {
	if kind == UnreadableBody && r.doubt.why == doubtTruncated {
		return &Reason{Kind: BodyTooLong}
	}
	return &Reason{Kind: kind, doubt: r.doubt}
}

// explain asks the rules again, for a request that is none of the actions: also those for other methods, and what
// failed in each. It stops at the rule at which Classify stopped.
func (r *request) explain() *Reason {
	reason := &Reason{Kind: NoActionMatches}
	r.effort = 0 // so that it goes as far as Classify did
	for _, rule := range r.rules.all {
		if r.q.isOver() {
			break
		}
		var b bindings
		if !rule.pathFits(r, &b) {
			continue
		}

		m := rule.miss(r)
		reason.Nearest = append(reason.Nearest, m)
		if m.Unclear {
			reason.Kind = AmbiguousValue
			if m.failed.place == inBody {
				reason.Kind = m.bodyKind()
			}
			break
		}
	}

	reason.sortNearest()
	return reason
}

// sortNearest puts the nearest first and forgets all but a few.
func (r *Reason) sortNearest() {
	slices.SortStableFunc(r.Nearest, func(a, b Miss) int {
		switch {
		case a.Unclear:
			return -1
		case b.Unclear:
			return 1
		}
		return cmp.Compare(b.held, a.held)
	})
	r.Nearest = r.Nearest[:min(len(r.Nearest), maxNearest)]
}

// miss says what keeps a request from being the rule's action.
func (rule *rule) miss(r *request) Miss {
	var b bindings
	o := rule.match(r, &b)
	return rule.missOf(r, o)
}

// missOf is miss for the outcome of a match.
func (rule *rule) missOf(r *request, o outcome) Miss {
	m := Miss{Action: rule.names.Name, Unclear: o.verdict == unsure, failed: o, held: rule.held(o)}
	switch o.place {
	case inMethod:
		m.method = r.method
	case inBody:
		m.doubt = r.doubt
	case inGraphQL:
		m.key = rule.graphql.key(o.index)
	case inKeys:
		m.key = strings.Join(rule.keys[o.index].path, ".")
	case inWhere:
		m.key = rule.variables[rule.where[o.index].variable]
	case inHeader, inQuery, inForm, inParam, inJSON, inXML:
		m.key = rule.tests(o.place)[o.index].key
	}
	return m
}

// held counts the conditions of a rule that were found to hold before the one that decided.
func (rule *rule) held(o outcome) int {
	if o.place == inMethod || o.place == inText || o.place == inPrefix {
		return 0
	}

	n := 1 // the method
	if len(rule.contentTypes) > 0 && o.place > inContentType {
		n++
	}
	for _, place := range []place{inHeader, inQuery, inForm, inParam, inJSON} {
		switch {
		case o.place == place:
			return n + o.index
		case o.place > place:
			n += len(rule.tests(place))
		}
	}
	return n
}

// tests are the conditions of a rule on single values of one place.
func (rule *rule) tests(p place) []valueTest {
	switch p {
	case inHeader:
		return rule.header
	case inQuery:
		return rule.query
	case inForm:
		return rule.form
	case inParam:
		return rule.param
	case inJSON:
		return rule.json
	case inXML:
		return rule.xml
	}
	return nil
}
