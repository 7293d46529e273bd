package adapters

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// loginRules are rules for the requests of the adapter's own login: the posts of its steps and its token endpoint.
// Whatever the actions say, an agent does not log in. Paths and values are compared without case, a parameter of the
// query may stand in the form as well, and a slash at the end does not matter.
//
// There is no rule for a request that an action of the adapter names as a login: where one path takes every call, the
// actions tell the login from the others.
func (d *draft) loginRules(actions *ruleSet) []*rule {
	targets := []string{d.spec.Login.TokenURL}
	for i := range d.spec.Login.Steps {
		step := &d.spec.Login.Steps[i]
		if !isNamedLogin(actions, step, d.ownPath(step.Post+step.Put)) {
			targets = append(targets, step.Post+step.Put)
		}
	}

	var all []*rule
	for _, target := range targets {
		target = d.ownPath(target)
		path, _, _ := strings.Cut(target, "?")
		if path == "" || strings.Contains(path, "${") {
			continue
		}
		if r := loginRule(target); r != nil {
			all = append(all, r)
		}
	}
	return all
}

// loginRule is the rule for a target at the adapter's own hosts; nil if its path does not decode.
func loginRule(target string) *rule {
	raw, query, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return nil
	}

	r := &rule{names: Action{Name: "login", Login: true}, methods: []string{"POST", "PUT", "PATCH"}}
	base := withoutWildcards(strings.TrimSuffix(path.Clean(decoded), "/"))
	for _, variant := range []string{base, base + "/"} {
		p, err := compilePath(variant, &r.variables, true)
		if err == nil && variant != "" {
			r.paths = append(r.paths, p)
		}
	}

	for one := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(one, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || name == "" {
			continue
		}
		literal, err := url.QueryUnescape(rawValue)
		if err != nil || strings.Contains(literal, "${") {
			continue // any value
		}
		p := pattern{plain: true, literal: literal, fold: true}
		r.param = append(r.param, valueTest{key: name, patterns: []pattern{p}, absent: literal == ""})
	}
	return r
}

// withoutWildcards makes a path safe to compile as a pattern without wildcards. The paths of logins hold none.
func withoutWildcards(path string) string {
	return strings.NewReplacer("*", "", "{", "", "}", "").Replace(path)
}

// isNamedLogin reports whether an action with login: true matches what a step with a body or with a query sends.
func isNamedLogin(actions *ruleSet, step *StepSpec, target string) bool {
	path, query, _ := strings.Cut(target, "?")
	if step.JSON == nil && step.Body == "" && len(step.Form) == 0 && query == "" {
		return false
	}
	if strings.Contains(path, "${") || !strings.HasPrefix(path, "/") {
		return false
	}

	q := Query{Method: "POST", Path: path, RawQuery: query, Body: []byte(step.Body)}
	if step.Put != "" {
		q.Method = "PUT"
	}
	if len(step.Form) > 0 {
		form := url.Values{}
		for name, template := range step.Form {
			form.Set(name, template)
		}
		q.ContentType = "application/x-www-form-urlencoded"
		q.Body = []byte(form.Encode())
	}
	if step.JSON != nil {
		body, err := json.Marshal(step.JSON)
		if err != nil {
			return false
		}
		q.ContentType = "application/json"
		q.Body = body
	}
	for _, name := range slices.Sorted(maps.Keys(step.Headers)) {
		q.Fields = append(q.Fields, Field{Name: name, Value: step.Headers[name]})
		if strings.EqualFold(name, "Content-Type") {
			q.ContentType = step.Headers[name]
		}
	}
	q.NoBody = len(q.Body) == 0

	action, reason := (&Adapter{rules: actions}).Classify(q)
	return reason == nil && action.Login
}

// checkHiddenByLogin reports actions that can never match, because the adapter's own login posts to the same path.
func (d *draft) checkHiddenByLogin(login []*rule) {
	for i := range d.spec.Actions {
		a := &d.spec.Actions[i]
		if a.Login || len(a.Match.Method) == 0 {
			continue
		}
		for _, r := range login {
			if len(r.param) > 0 || !containsAll(r.methods, a.Match.Method) || !r.coversPaths(a.Match.Path) {
				continue
			}
			hint := "say first which calls there are logins: {name: login, login: true, match: {method: POST, path: " + a.Match.Path[0] + ", json: {method: login}}}"
			d.at(fmt.Sprintf("actions[%d]", i), hint, "action %q can never be reached: the login posts to the same path, and agents are refused that", a.Name)
			break
		}
	}
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// coversPaths reports whether the rule matches all paths, which are plain.
func (rule *rule) coversPaths(paths []string) bool {
	for _, p := range paths {
		var b bindings
		if strings.ContainsAny(p, "*{") || !rule.pathFits(&request{path: p}, &b) {
			return false
		}
	}
	return len(paths) > 0
}

// ownPath cuts scheme and host off a URL. It returns "" for a URL at a host that agents cannot reach.
func (d *draft) ownPath(target string) string {
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute {
		return target
	}

	host, path, _ := strings.Cut(rest, "/")
	a := Adapter{spec: d.spec}
	if !a.serves(host) {
		return ""
	}
	return "/" + path
}
