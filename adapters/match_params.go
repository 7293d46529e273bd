package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// The reasons of a doubt about a name.
const (
	doubtName     = "may be taken for a parameter that an action decides by"
	doubtOverride = "may be taken for the method"
)

// parseParams reads an urlencoded text and appends its parameters to dst. It is false, and sets r.doubt, for a text that
// applications may read differently: one that package body refuses, or with a name that some of them take for another
// ("title[]", " title", "Title").
func (r *request) parseParams(dst []body.Pair, raw string, charset body.Charset) ([]body.Pair, bool) {
	options := body.FormOptions{Charset: charset}
	if r.rules.semicolon {
		options.Semicolon = body.SplitAtSemicolon
	}
	first := len(dst)
	dst, err := body.ParseForm(dst, raw, options)
	if err != nil {
		return nil, r.doubtError(err)
	}
	for i := first; i < len(dst); i++ {
		if !r.isClearName(dst[i].Name) {
			return nil, false
		}
	}
	return dst, true
}

// isClearName reports whether no application takes a parameter's name for another one that decides. Otherwise it sets
// r.doubt.
func (r *request) isClearName(name string) bool {
	switch {
	case r.rules.declared[name]:
		return true
	case r.rules.mayBeDeclared(name):
		r.doubt = doubt{why: doubtName, name: name}
		return false
	case isOverride(name):
		r.doubt = doubt{why: doubtOverride, name: name}
		return false
	}
	return true
}

// isOverride reports whether frameworks look for another method in a parameter of that name, or in a key at the top of
// a JSON body.
func isOverride(name string) bool {
	if len(name) < len("_method") {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c == '_' || c == '-' || c == '$' || c == '.' || c <= ' ' || c == '+' {
			return overrideNames[strings.ReplaceAll(looseName(name), "-", "_")]
		}
	}
	return false
}

// overrideNames are such names: those of Rack, Rails, Laravel, Symfony, Spring and method-override of Express, of ASP.NET
// and ServiceStack, and of APIs of Salesforce and Google.
var overrideNames = map[string]bool{
	"_method": true, "__method": true, "_http_method": true, "_httpmethod": true, "_method_override": true, "http_method_override": true,
	"x_http_method_override": true, "x_http_method": true, "x_method_override": true, "x_httpmethod_override": true, "$httpmethod": true, "$_method": true,
}

// findParam looks a name up. A parameter that comes twice is doubtful.
func findParam(params []body.Pair, name string) value {
	var v value
	for i := range params {
		if params[i].Name != name {
			continue
		}
		if v.state != absent || !text.IsClear(params[i].Value) {
			return value{state: doubtful}
		}
		v = value{text: params[i].Value, state: present}
	}
	return v
}

func (r *request) queryValue(name string) value {
	r.paramsDecide = true
	return r.lookUp(name, r.params)
}

// lookUp looks a name up. The value is doubtful if some application takes another parameter for it.
func (r *request) lookUp(name string, params []body.Pair) value {
	v := findParam(params, name)
	if r.rules != nil && len(r.rules.rivals) > 0 && r.hasRival(name, v.state != absent, params) {
		return value{state: doubtful}
	}
	return v
}

// formValue is a field of the form. A name that a part of another kind bears is doubtful: servers keep files out of the
// fields, but not all of them take the same parts for files.
func (r *request) formValue(name string) value {
	for _, file := range r.files {
		if file == name {
			return value{state: doubtful}
		}
	}
	v := r.lookUp(name, r.form)
	if r.contentType.KeepsLabel && !isASCII(v.text) {
		return value{state: doubtful}
	}
	return v
}

// paramValue is a parameter of the query or the form; one that is in both with two values is doubtful.
func (r *request) paramValue(name string) value {
	inQuery := r.queryValue(name)
	inForm := r.formValue(name)
	switch {
	case inForm.state == absent:
		return inQuery
	case inQuery.state == absent || inForm == inQuery:
		return inForm
	}
	return value{state: doubtful}
}

// queryContradicts reports whether the query has a parameter of the name of a field that fits, with which the request would
// be something else: many applications do not tell the query from the form, and Java's getParameter takes the query's
// value first. A rule that also has the name in query says itself what may be there. A privileged action and a login are
// named by either place, so that a parameter in the other one does not hide them, unless the value is part of the resource.
func (rule *rule) queryContradicts(r *request, t *valueTest, inForm value, b *bindings) bool {
	if !hasParam(r.params, t.key) {
		return false
	}
	for i := range rule.query {
		if rule.query[i].key == t.key {
			return false
		}
	}

	inQuery := r.queryValue(t.key)
	if inQuery == inForm {
		return false
	}
	if rule.names.Privileged || rule.names.Login {
		var own bindings
		t.fits(inForm, &own, &r.effort)
		if own == (bindings{}) {
			return false
		}
	}
	bound := *b
	return t.fits(inQuery, &bound, &r.effort) != matches || bound != *b
}
