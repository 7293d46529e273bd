package adapters

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rules is an adapter's actions, indexed by method and by literal path or first segment.
type rules struct {
	methods   map[string]*table     // methods that some action names
	any       *table                // every other method
	declared  map[string]bool       // query, form and param names that some action decides by
	folded    map[string][][]string // the same as loose applications may spell them: see loose, and within by key for nested ones
	semicolon bool
	foldPaths bool
	override  OverrideSpec
	all       []*rule // in order
	rewrites  []rewrite
}

// table holds candidates in order. exact lists also what patterns may match on that path.
type table struct {
	exact map[string][]*rule
	first map[string][]*rule
	wild  []*rule
}

type rule struct {
	names         Action
	methods       []string
	paths         []pathPattern
	query, form   []cond
	param, json   []cond
	header, xml   []cond
	graphql       *graphqlRule // nil: none
	batch         bool
	contentTypes  []pattern
	where         []limit
	keys          []keysAt
	only          *allowance // nil: any further parameter may come
	resource      []part
	plainResource string
	vars          slots
}

// limit is what a variable must look like.
type limit struct {
	slot int
	fits *regexp.Regexp
}

// keysAt is which keys an object in a JSON body may have.
type keysAt struct {
	path []string
	may  []pattern
}

// cond is one parameter and the patterns it may have.
type cond struct {
	key      string
	patterns []pattern
	absent   bool // "" is among them: absent or empty
}

type pathPattern struct {
	segments []pattern
	literal  string // the whole path when nothing in it is a pattern
	rest     bool   // ** or {var...} at the end
	restSlot int    // ≥ 0: the variable that the rest is bound to
	fold     bool
}

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

func compilePath(text string, vars *slots, fold bool) (p pathPattern, err error) {
	p = pathPattern{fold: fold, restSlot: -1}
	before := len(*vars)
	if strings.HasSuffix(text, "/**") {
		p.rest, text = true, strings.TrimSuffix(text, "/**")
	} else if head, ok := strings.CutSuffix(text, "...}"); ok {
		i := strings.LastIndex(head, "/{")
		if i < 0 || !variableName(head[i+2:]) {
			return p, fmt.Errorf("path %q: {var...} may stand only as the whole end, after /", text)
		}
		p.rest, text = true, head[:i]
		defer func() { p.restSlot = vars.number(head[i+2:]) }() // numbered last: variables are bound from the left
	}
	if strings.Contains(text, "**") {
		return p, fmt.Errorf("path %q: ** may stand only at the end, after /", text)
	}
	plain := !p.rest
	if text != "" || !p.rest {
		for segment := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
			s, err := compilePattern(segment, vars, fold)
			if err != nil {
				return p, err
			}
			plain = plain && s.plain
			p.segments = append(p.segments, s)
		}
	}
	if plain && len(*vars) == before {
		p.literal = text
	}
	return p, nil
}

func indexRules(all []*rule, semicolon bool) *rules {
	x := &rules{all: all, methods: map[string]*table{}, declared: map[string]bool{}, folded: map[string][][]string{}, semicolon: semicolon}
	named := map[string]bool{}
	for _, r := range all {
		for _, m := range r.methods {
			named[m] = true
		}
		for _, group := range [][]cond{r.query, r.form, r.param} {
			for _, c := range group {
				x.declare(c.key)
			}
		}
		if r.graphql != nil {
			for _, name := range graphqlParams {
				x.declare(name)
			}
		}
	}
	for m := range named {
		x.methods[m] = tableOf(all, m)
	}
	x.any = tableOf(all, "")
	return x
}

func tableOf(all []*rule, method string) *table {
	t := &table{exact: map[string][]*rule{}, first: map[string][]*rule{}}
	var fitting []*rule
	for _, r := range all {
		if len(r.methods) == 0 || slices.Contains(r.methods, method) {
			fitting = append(fitting, r)
		}
	}
	for _, r := range fitting { // every key first, so that wildcards reach all of them in order
		for _, p := range r.paths {
			if p.literal != "" && !p.fold {
				t.exact[p.literal] = nil
			}
			if len(p.segments) > 0 && p.segments[0].plain && !p.fold {
				t.first[p.segments[0].literal] = nil
			}
		}
	}
	for _, r := range fitting {
		t.add(r)
	}
	return t
}

func (t *table) add(r *rule) {
	for literal := range t.exact {
		probe := reading{path: literal}
		var bound [maxSlots]string
		if r.pathFits(&probe, &bound) {
			t.exact[literal] = append(t.exact[literal], r)
		}
	}
	for first := range t.first {
		if slices.ContainsFunc(r.paths, func(p pathPattern) bool { return p.mayStart(first) }) {
			t.first[first] = append(t.first[first], r)
		}
	}
	if slices.ContainsFunc(r.paths, func(p pathPattern) bool {
		return len(p.segments) == 0 || !p.segments[0].plain || p.fold
	}) {
		t.wild = append(t.wild, r)
	}
}

func (p *pathPattern) mayStart(first string) bool {
	var bound [maxSlots]string
	return len(p.segments) == 0 || p.segments[0].match(first, &bound)
}

// candidates are the rules that may match, in order.
func (x *rules) candidates(method, path string) []*rule {
	t := x.methods[method]
	if t == nil {
		t = x.any
	}
	if list, ok := t.exact[path]; ok {
		return list
	}
	first, _, _ := strings.Cut(path[1:], "/")
	if list, ok := t.first[first]; ok {
		return list
	}
	return t.wild
}

func (rule *rule) pathFits(r *reading, bound *[maxSlots]string) bool {
	for i := range rule.paths {
		saved := *bound
		if rule.paths[i].match(r.path, bound) {
			return true
		}
		*bound = saved
	}
	return false
}

func (p *pathPattern) match(path string, bound *[maxSlots]string) bool {
	if p.literal != "" {
		return p.literal == path || p.fold && strings.EqualFold(p.literal, path)
	}
	rest, more := path[1:], true
	for i := range p.segments {
		if !more {
			return false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if !p.segments[i].match(segment, bound) {
			return false
		}
	}
	switch {
	case !p.rest:
		return !more
	case p.restSlot < 0:
		return more || len(p.segments) == 0
	}
	tail := part{slot: p.restSlot}
	return (more || len(p.segments) == 0) && rest != "" && tail.bind(rest, bound)
}
