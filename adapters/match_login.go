package adapters

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// loginRules are the recipe's own posts and its token endpoint: whatever the actions say, an agent does not log in. Names and values are
// compared without case, the query's parameters may stand in the form as well, and a trailing slash does not matter. A call
// that the adapter's own actions name as a login has none: where one path takes every call, they tell it from the others.
func (d *draft) loginRules(own *rules) []*rule {
	var all []*rule
	targets := []string{d.spec.Login.TokenURL}
	for i := range d.spec.Login.Steps {
		if step := &d.spec.Login.Steps[i]; !namedAsLogin(own, step, d.ownPath(step.Post+step.Put)) {
			targets = append(targets, step.Post+step.Put)
		}
	}
	for _, target := range targets {
		if target = d.ownPath(target); target == "" || strings.Contains(target, "${") {
			continue
		}
		raw, query, _ := strings.Cut(target, "?")
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			continue
		}
		decoded = literalText(strings.TrimSuffix(path.Clean(decoded), "/"))
		r := &rule{names: Action{Name: "login", Login: true}, methods: []string{"POST", "PUT", "PATCH"}}
		for _, variant := range []string{decoded, decoded + "/"} {
			if p, err := compilePath(variant, &r.vars, true); err == nil && variant != "" {
				r.paths = append(r.paths, p)
			}
		}
		for pair := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(pair, "=")
			name, err1 := url.QueryUnescape(key)
			text, err2 := url.QueryUnescape(value)
			if name == "" || err1 != nil || err2 != nil {
				continue
			}
			p := pattern{plain: true, literal: text, fold: true}
			r.param = append(r.param, cond{key: name, patterns: []pattern{p}, absent: text == ""})
		}
		all = append(all, r)
	}
	return all
}

// namedAsLogin says whether an action with login: true is what a step with a JSON body or a text does.
func namedAsLogin(own *rules, step *StepSpec, target string) bool {
	if step.JSON == nil && step.Body == "" || strings.Contains(target, "${") || !strings.HasPrefix(target, "/") {
		return false
	}
	q := Query{Method: "POST", Body: []byte(step.Body)}
	if step.Put != "" {
		q.Method = "PUT"
	}
	if step.JSON != nil {
		body, err := json.Marshal(step.JSON)
		if err != nil {
			return false
		}
		q.ContentType, q.Body = "application/json", body
	}
	for _, name := range sortedNames(step.Headers) {
		q.Fields = append(q.Fields, Field{Name: name, Value: step.Headers[name]})
		if strings.EqualFold(name, "Content-Type") {
			q.ContentType = step.Headers[name]
		}
	}
	q.Path, q.RawQuery, _ = strings.Cut(target, "?")
	act, ok := (&Adapter{rules: own}).Classify(q)
	return ok && act.Login
}

// checkHidden finds actions that the recipe's own posts hide.
func (d *draft) checkHidden(login []*rule) {
	for i := range d.spec.Actions {
		a := &d.spec.Actions[i]
		for _, r := range login {
			if !a.Login && len(r.param) == 0 && len(a.Match.Method) > 0 && within(a.Match.Method, r.methods) && r.holdsPaths(a.Match.Path) {
				d.at(fmt.Sprintf("actions[%d]", i), "say first which calls there are logins: {name: login, login: true, match: {method: POST, path: "+a.Match.Path[0]+
					", json: {method: login}}}", "action %q can never be reached: the login posts to the same path, and agents are refused that", a.Name)
				break
			}
		}
	}
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func (rule *rule) holdsPaths(paths []string) bool {
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p string) bool {
		var bound [maxSlots]string
		return strings.ContainsAny(p, "*{") || !rule.pathFits(&reading{path: p}, &bound)
	})
}

// ownPath cuts scheme and host off a URL; "" for one at a host that agents cannot reach.
func (d *draft) ownPath(target string) string {
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute {
		return target
	}
	host, path, _ := strings.Cut(rest, "/")
	if a := (Adapter{spec: d.spec}); !a.serves(host) {
		return ""
	}
	return "/" + path
}

// literalText makes a path safe to compile as a pattern without wildcards; login paths hold none.
func literalText(s string) string { return strings.NewReplacer("*", "", "{", "", "}", "").Replace(s) }
