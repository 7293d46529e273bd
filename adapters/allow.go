package adapters

import (
	"fmt"
	"strings"
)

// allowance is a compiled match.only with the names of the rule's own conditions: what a request may carry, by
// place. A nil allowance allows everything.
type allowance struct {
	query, form, json map[string]bool
	starts            []string // "Show*" without the star; they hold in every place
}

// compileAllowance is nil when the action has no only.
func compileAllowance(m *MatchSpec) (*allowance, error) {
	if m.Only == nil {
		return nil, nil
	}
	w := &allowance{query: map[string]bool{}, form: map[string]bool{}, json: map[string]bool{}}
	for name := range m.Query {
		w.query[name] = true
	}
	for name := range m.Form {
		w.form[name] = true
	}
	for name := range m.Param {
		w.query[name], w.form[name] = true, true
	}
	for pointer := range m.JSON {
		name, _, _ := strings.Cut(pointer, ".")
		w.json[name] = true
	}
	for _, name := range m.Only {
		start, open := strings.CutSuffix(name, "*")
		switch {
		case start == "":
			return nil, fmt.Errorf("%q in only would allow every parameter", name)
		case strings.ContainsAny(start, "*{}"):
			return nil, fmt.Errorf("%q in only: * may stand only at the end", name)
		case open:
			w.starts = append(w.starts, start)
		default:
			w.query[name], w.form[name], w.json[name] = true, true, true
		}
	}
	return w, nil
}

func (w *allowance) allows(names map[string]bool, name string) bool {
	if names[name] {
		return true
	}
	for _, start := range w.starts {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// fitsPairs reports whether every pair has an allowed name.
func (w *allowance) fitsPairs(names map[string]bool, pairs []pair) bool {
	for i := range pairs {
		if !w.allows(names, pairs[i].key) {
			return false
		}
	}
	return true
}

// fitsBody is unsure about a body whose names cannot be read. No body has no names.
func (w *allowance) fitsBody(r *reading) verdict {
	if len(r.q.Body) == 0 && !r.q.Truncated {
		return matches
	}
	if r.isJSON() {
		if !r.readJSON() {
			return unsure
		}
		top, ok := r.json.(map[string]any)
		if !ok {
			return unsure // a list or a bare value: no names to look at
		}
		for name := range top {
			if !w.allows(w.json, name) {
				return differs
			}
		}
		return matches
	}
	if !r.readForm() {
		return unsure
	}
	if !w.fitsPairs(w.form, r.form) {
		return differs
	}
	return matches
}
