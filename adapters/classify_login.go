package adapters

import (
	"net/url"
	"path"
	"strings"
)

// loginRules are the recipe's own posts and its token endpoint: whatever the actions say, an agent does not log in. Names and values are
// compared without case, the query's parameters may stand in the form as well, and a trailing slash does not matter.
func (d *draft) loginRules() []*rule {
	var all []*rule
	targets := []string{d.spec.Login.TokenURL}
	for _, step := range d.spec.Login.Steps {
		targets = append(targets, step.Post+step.Put)
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
