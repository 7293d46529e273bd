package adapters

import (
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
