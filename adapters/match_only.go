package adapters

import (
	"fmt"
	"slices"
	"strings"
)

// allowance is a compiled match.only with the names of the rule's own conditions: what a request may carry, by
// place. A nil allowance allows everything.
type allowance struct {
	query, form, json map[string]bool
	patterns          []pattern // those with * or {var}; they hold in every place
}

// compileAllowance is nil when the action has no only. vars are the variables that the conditions bind.
func compileAllowance(m *MatchSpec, vars slots) (*allowance, error) {
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
			w.query[name], w.form[name], w.json[name] = true, true, true
		default:
			w.patterns = append(w.patterns, p)
		}
	}
	return w, nil
}

// allows looks a name up; bound holds the variables of the match so far.
func (w *allowance) allows(names map[string]bool, name string, bound *[maxSlots]string) bool {
	if names[name] {
		return true
	}
	for i := range w.patterns {
		p, known := &w.patterns[i], *bound
		if p.isBound(bound) && p.match(name, &known) {
			return true
		}
	}
	return false
}

// fitsPairs reports whether every pair has an allowed name.
func (w *allowance) fitsPairs(names map[string]bool, pairs []pair, bound *[maxSlots]string) bool {
	for i := range pairs {
		if !w.allows(names, pairs[i].key, bound) {
			return false
		}
	}
	return true
}

// fitsBody is unsure about a body whose names cannot be read. No body has no names.
func (w *allowance) fitsBody(r *reading, batch bool, bound *[maxSlots]string) verdict {
	if len(r.q.Body) == 0 && !r.q.Truncated {
		return matches
	}
	if r.isJSON() {
		if !r.readJSON() {
			return unsure
		}
		for _, call := range r.calls(batch) {
			top, ok := call.(map[string]any)
			if !ok {
				return unsure // a list or a bare value: no names to look at
			}
			for name := range top {
				if !w.allows(w.json, name, bound) {
					return differs
				}
			}
		}
		return matches
	}
	if !r.readForm() {
		return unsure
	}
	if !w.fitsPairs(w.form, r.form, bound) {
		return differs
	}
	return matches
}
