package adapters

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// allowedNames is a compiled match.only with the names of the rule's other conditions: which names a request may have,
// by place.
type allowedNames struct {
	query    map[string]bool
	form     map[string]bool
	json     map[string]bool
	patterns []pattern // those with * or {var}; they hold in every place
	lists    bool      // the conditions on JSON are on the items of a list, whose names are their numbers
}

// The places in which only looks at names: the index of an outcome inOnly.
const (
	inOnlyQuery = iota
	inOnlyForm
	inOnlyJSON
)

// onlyPlaces say what the names are called in each place.
var onlyPlaces = [...]string{inOnlyQuery: "parameter", inOnlyForm: "field", inOnlyJSON: "key"}

// compileOnly returns nil for an action without only. vars are the variables that the other conditions bind.
func compileOnly(m *MatchSpec, vars variables) (*allowedNames, error) {
	if m.Only == nil {
		return nil, nil
	}

	w := &allowedNames{query: map[string]bool{}, form: map[string]bool{}, json: map[string]bool{}}
	for name := range m.Query {
		w.query[name] = true
	}
	for name := range m.Form {
		w.form[name] = true
	}
	for name := range m.Param {
		w.query[name] = true
		w.form[name] = true
	}
	w.lists = len(m.JSON) > 0
	for pointer := range m.JSON {
		w.allowKey(pointer)
		w.lists = w.lists && pointer != "" && pointer[0] >= '0' && pointer[0] <= '9'
	}

	for _, name := range m.Only {
		bound := slices.Clone(vars)
		p, err := compilePattern(name, &bound, false)
		switch {
		case err != nil:
			return nil, err
		case len(bound) > len(vars):
			return nil, fmt.Errorf("%q in only names {%s}, which nothing else in match binds", name, bound[len(vars)])
		case strings.Trim(name, "*") == "":
			return nil, fmt.Errorf("%q in only would allow every parameter", name)
		case p.plain:
			w.allow(name)
		default:
			w.patterns = append(w.patterns, p)
		}
	}
	return w, nil
}

// allow admits a name in every place.
func (w *allowedNames) allow(name string) {
	w.query[name] = true
	w.form[name] = true
	w.json[name] = true
}

// allowKey admits the key at the top of a JSON body through which a pointer leads.
func (w *allowedNames) allowKey(pointer string) {
	name, _, _ := strings.Cut(pointer, ".")
	w.json[name] = true
}

// in are the names that are allowed in one place.
func (w *allowedNames) in(at int) map[string]bool {
	switch at {
	case inOnlyQuery:
		return w.query
	case inOnlyForm:
		return w.form
	}
	return w.json
}

// allows reports whether a name may be in one place. A pattern with a variable that is not bound allows nothing.
func (w *allowedNames) allows(at int, name string, b *bindings) bool {
	if w.in(at)[name] {
		return true
	}
	for i := range w.patterns {
		p := &w.patterns[i]
		known := *b
		if p.isBound(b) && p.match(name, &known) {
			return true
		}
	}
	return false
}

// fitsParams differs at the first parameter with a name that is not allowed.
func (w *allowedNames) fitsParams(at int, params []body.Pair, b *bindings) outcome {
	for i := range params {
		if !w.allows(at, params[i].Name, b) {
			return outcome{verdict: differs, place: inOnly, index: at, name: params[i].Name}
		}
	}
	return outcome{verdict: matches}
}

// fitsBody is unsure about a body whose names cannot be read. No body has no names.
func (w *allowedNames) fitsBody(r *request, batch bool, b *bindings) outcome {
	if !r.hasBody() {
		return outcome{verdict: matches}
	}

	if r.isJSON() {
		if !r.readJSON() {
			return outcome{verdict: unsure, place: inBody}
		}
		return w.fitsCalls(r.calls(batch), b)
	}

	if !r.readForm() {
		return outcome{verdict: unsure, place: inBody}
	}
	if o := w.fitsParams(inOnlyForm, r.form, b); o.verdict != matches {
		return o
	}
	for _, name := range r.files {
		if !w.allows(inOnlyForm, name, b) {
			return outcome{verdict: differs, place: inOnly, index: inOnlyForm, name: name}
		}
	}
	return outcome{verdict: matches}
}

// fitsCalls differs at the first call with a name that is not allowed; of several it names the first in order.
func (w *allowedNames) fitsCalls(calls []body.Value, b *bindings) outcome {
	for _, call := range calls {
		if call.Kind() == body.JSONArray && w.lists {
			if o := w.fitsItems(call, b); o.verdict != matches {
				return o
			}
			continue
		}
		if call.Kind() != body.JSONObject {
			return outcome{verdict: unsure, place: inBody} // a list or a plain value has no names to look at
		}

		extra, found := "", false
		for name := range call.Members() {
			if !w.allows(inOnlyJSON, name, b) && (!found || name < extra) {
				extra, found = name, true
			}
		}
		if found {
			return outcome{verdict: differs, place: inOnly, index: inOnlyJSON, name: extra}
		}
	}
	return outcome{verdict: matches}
}

// fitsItems differs at the first item of a list whose number is not allowed.
func (w *allowedNames) fitsItems(list body.Value, b *bindings) outcome {
	i := 0
	for range list.Items() {
		name := strconv.Itoa(i)
		if !w.allows(inOnlyJSON, name, b) {
			return outcome{verdict: differs, place: inOnly, index: inOnlyJSON, name: name}
		}
		i++
	}
	return outcome{verdict: matches}
}
