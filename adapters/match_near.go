package adapters

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
)

// maxNear bounds how many actions Near speaks of.
const maxNear = 4

// misfit is what keeps a request from being an action.
type misfit struct {
	action, why string
	held        int  // conditions that held before
	unclear     bool // it cannot be told, so no action after it is tried
}

// Near says of a request that Classify does not name which actions come nearest to it and what keeps each from being it:
// first what cannot be told, then those of which most holds. It holds no values, and names that are the request's alone
// only where names says so: they may be anything. q.Body is the whole body.
func (a *Adapter) Near(q Query, names bool) (why []string) {
	r := reading{unnamed: !names}
	if !r.init(a.rules, q) {
		return []string{"the path or the query can be read in two ways" + r.mistaken(q.RawQuery)}
	}
	if r.override() != matches {
		return []string{"the method that stands for POST can be read in two ways, or the form that may hold it cannot be read" + r.mistakenField()}
	}
	var all []misfit
	for _, rule := range a.rules.all {
		var bound [maxSlots]string
		if !rule.pathFits(&r, &bound) {
			continue
		}
		m := misfit{action: rule.names.Name, why: "the method is " + r.method}
		if rule.methodFits(r.method) {
			m.held++
			rule.misfit(&r, &bound, &m)
		}
		if all = append(all, m); m.unclear {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b misfit) int {
		if a.unclear != b.unclear {
			return -1
		}
		return b.held - a.held
	})
	for i, m := range all {
		if i == maxNear {
			break
		}
		if why = append(why, m.action+": "+m.why); m.unclear {
			why[i] += ", so no action after it is tried"
		}
	}
	if len(why) == 0 {
		return []string{"no action has this path"}
	}
	return why
}

// misfit fills in the first condition that does not hold.
func (rule *rule) misfit(r *reading, bound *[maxSlots]string, m *misfit) {
	if len(rule.contentTypes) > 0 {
		if v := rule.typeFits(r); v != matches {
			m.why, m.unclear = "content_type does not fit", v == unsure
			return
		}
		m.held++
	}
	for _, group := range []struct {
		place string
		conds []cond
		value func(string) field
		reads func() bool
	}{{"header", rule.header, r.headerValue, nil}, {"query", rule.query, r.queryValue, nil}, {"form", rule.form, r.formValue, r.readForm},
		{"param", rule.param, r.paramValue, r.readForm}, {"json", rule.json, func(key string) field { return jsonAt(r.json, key) }, r.readJSON}} {
		if len(group.conds) > 0 && group.reads != nil && !group.reads() {
			m.why, m.unclear = "the body cannot be read without doubt"+r.mistakenField(), true
			return
		}
		for i := range group.conds {
			c := &group.conds[i]
			switch c.fits(group.value(c.key), bound) {
			case unsure:
				if !m.unclear {
					m.why, m.unclear = fmt.Sprintf("%s %s comes twice or cannot be read as one value", group.place, c.key), true
				}
			case differs:
				m.why, m.unclear = fmt.Sprintf("%s %s does not fit", group.place, c.key), false
				return
			default:
				m.held++
			}
		}
	}
	if !m.unclear {
		m.why = rule.misfitBehind(r, bound)
	}
}

// misfitBehind looks at what is judged behind the single values.
func (rule *rule) misfitBehind(r *reading, bound *[maxSlots]string) string {
	for i := range rule.keys {
		if !r.readJSON() || !rule.keys[i].fits(r.json) {
			return "keys of " + orText(strings.Join(rule.keys[i].path, "."), "the body") + " do not fit"
		}
	}
	if extra := rule.extra(r, bound); extra != "" {
		return "only does not list " + extra
	}
	for i := range rule.where {
		if value := bound[rule.where[i].slot]; value != "" && !rule.where[i].fits.MatchString(value) {
			return "where " + rule.vars[rule.where[i].slot] + " does not fit"
		}
	}
	return "the body does not fit, or cannot be read"
}

// extra is a parameter that only does not allow.
func (rule *rule) extra(r *reading, bound *[maxSlots]string) string {
	if rule.only == nil {
		return ""
	}
	for _, p := range r.pairs {
		if !rule.only.allows(rule.only.query, p.key, bound) {
			return "the parameter " + r.name(p.key)
		}
	}
	if top, ok := r.json.(map[string]any); ok {
		for _, name := range slices.Sorted(keysOfMap(top)) {
			if !rule.only.allows(rule.only.json, name, bound) {
				return "the key " + r.name(name)
			}
		}
		return ""
	}
	if !r.isJSON() && r.readForm() {
		for _, p := range r.form {
			if !rule.only.allows(rule.only.form, p.key, bound) {
				return "the field " + r.name(p.key)
			}
		}
	}
	return ""
}

func keysOfMap(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// mistaken names a parameter that could be taken for another, as an end of a sentence.
func (r *reading) mistaken(raw string) string {
	x := r.x
	values, _ := url.ParseQuery(raw) // what does not decode is not there
	for name := range values {
		if !x.declared[name] && x.mistakes(name) {
			return ": " + r.name(name) + " may be taken for a parameter that an action decides by"
		}
	}
	return ""
}

// name is one that the request chose.
func (r *reading) name(s string) string {
	if r.unnamed {
		return "…"
	}
	return s
}

func (r *reading) mistakenField() string {
	_, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil || params["boundary"] == "" {
		return r.mistaken(string(r.q.Body))
	}
	names := url.Values{}
	parts := multipart.NewReader(strings.NewReader(string(r.q.Body)), params["boundary"])
	for p, err := parts.NextRawPart(); err == nil && len(names) < maxPairs; p, err = parts.NextRawPart() {
		names.Set(p.FormName(), "")
		_, _ = io.Copy(io.Discard, p)
	}
	return r.mistaken(names.Encode())
}
