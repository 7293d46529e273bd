package adapters

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func (d *draft) compile() *rules {
	var own []*rule
	for i := range d.spec.Actions {
		key := fmt.Sprintf("actions[%d]", i)
		rule, errs := compileRule(d.spec.Actions[i], d.spec.Paths.Fold)
		for _, e := range errs {
			d.at(key+e.key, "", "%s", e.err)
		}
		if param := d.spec.MethodOverride.Param; rule.only != nil && param != "" {
			rule.only.query[param], rule.only.form[param] = true, true // it has been judged as the method
		}
		own = append(own, rule)
	}
	x := d.indexed(own)
	if len(d.found) > 0 {
		return nil // nobody will ask it
	}
	login := d.loginRules(x)
	d.checkHidden(login)
	return d.indexed(append(login, own...))
}

// indexed is the rules with what the adapter says of paths and methods.
func (d *draft) indexed(all []*rule) *rules {
	x := indexRules(all, d.spec.Query.Semicolon)
	x.foldPaths, x.override = d.spec.Paths.Fold, d.spec.MethodOverride
	if x.override.Param != "" {
		x.declare(x.override.Param)
	}
	x.rewrites = d.compileRewrites(x)
	return x
}

type keyedError struct {
	key string
	err error
}

func compileRule(spec ActionSpec, foldPaths bool) (*rule, []keyedError) {
	var errs []keyedError
	bad := func(key string, err error) {
		if err != nil {
			errs = append(errs, keyedError{key, err})
		}
	}
	r := &rule{names: Action{Name: spec.Name, Privileged: spec.Privileged, Safe: spec.Safe, Login: spec.Login}, methods: spec.Match.Method, batch: spec.Match.Batch}
	var arguments []cond
	for _, text := range spec.Match.Path {
		if foldPaths {
			text = strings.ToLower(text)
		}
		p, err := compilePath(text, &r.vars, false)
		bad(".match.path", err)
		r.paths = append(r.paths, p)
	}
	for _, group := range []struct {
		name string
		from map[string]Strings
		to   *[]cond
	}{{"query", spec.Match.Query, &r.query}, {"form", spec.Match.Form, &r.form}, {"param", spec.Match.Param, &r.param}, {"json", spec.Match.JSON, &r.json},
		{"header", spec.Match.Header, &r.header}, {"xml", spec.Match.XML, &r.xml}, {"graphql.argument", spec.Match.GraphQL.Argument, &arguments}} {
		for _, key := range sortedKeys(group.from) {
			c := cond{key: key}
			for _, text := range group.from[key] {
				if text == "" {
					c.absent = true
					continue
				}
				p, err := compilePattern(text, &r.vars, spec.Match.Fold)
				bad(".match."+group.name+"."+key, err)
				c.patterns = append(c.patterns, p)
			}
			*group.to = append(*group.to, c)
		}
	}
	var err error
	r.graphql, err = compileGraphQL(&spec.Match.GraphQL, arguments)
	bad(".match.graphql", err)
	r.only, err = compileAllowance(&spec.Match, r.vars)
	bad(".match.only", err)
	for _, text := range spec.Match.ContentType {
		p, err := compilePattern(text, &slots{}, true)
		bad(".match.content_type", err)
		r.contentTypes = append(r.contentTypes, p)
	}
	for _, pointer := range sortedKeys(spec.Match.Keys) {
		k := keysAt{}
		if pointer != "" {
			k.path = strings.Split(pointer, ".")
		}
		for _, text := range spec.Match.Keys[pointer] {
			p, err := compilePattern(text, &slots{}, false)
			bad(".match.keys."+pointer, err)
			k.may = append(k.may, p)
		}
		r.keys = append(r.keys, k)
	}
	for _, name := range sortedNames(spec.Match.Where) {
		l := limit{slot: slices.Index(r.vars, name)}
		if l.fits, err = regexp.Compile(`\A(?:` + spec.Match.Where[name] + `)\z`); err != nil {
			err = fmt.Errorf("where: %q is no RE2 expression: %w", spec.Match.Where[name], err)
		} else if l.slot < 0 {
			err = fmt.Errorf("where names {%s}, which nothing else in match binds", name)
		}
		bad(".match.where."+name, err)
		r.where = append(r.where, l)
	}
	if len(r.vars) > maxSlots {
		bad(".match", fmt.Errorf("match binds %d variables; at most %d", len(r.vars), maxSlots))
	}
	parts, err := compileResource(spec.Resource, r.vars)
	bad(".resource", err)
	if r.plainResource = spec.Resource; slices.ContainsFunc(parts, func(p part) bool { return p.wild }) {
		r.resource = parts
	}
	return r, errs
}
