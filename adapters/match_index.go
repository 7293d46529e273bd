package adapters

import (
	"slices"
	"strings"
)

// ruleSet is the compiled actions of an adapter, with the rules of its own login before them. It is indexed by method
// and by path, and does not change once it is compiled.
type ruleSet struct {
	all      []*rule               // in the order in which they are tried
	byMethod map[string]*ruleIndex // for methods that some rule names
	other    *ruleIndex            // for every other method

	// declared are the parameters of queries and forms that some rule decides by. declaredKeys has the same by
	// looseName; each entry is the keys of a nested name, or nil.
	declared     map[string]bool
	declaredKeys map[string][][]string
	rivals       map[string][]rival // of declared names

	storedGraphQL bool // some rule names documents that the application has

	semicolon bool // ; separates parameters as well as &
	foldPaths bool
	escapes   pathEscapes
	override  OverrideSpec
	rewrites  []rewrite
}

// ruleIndex finds the rules that may match a path. Each list is in the order of ruleSet.all, and also has the rules
// with patterns that the key fits.
type ruleIndex struct {
	byPath    map[string][]*rule // whole paths without patterns
	bySegment map[string][]*rule // first segments without patterns
	rest      []*rule            // for paths whose first segment is in neither
}

func newRuleSet(all []*rule) *ruleSet {
	x := &ruleSet{all: all, byMethod: map[string]*ruleIndex{}, declared: map[string]bool{}, declaredKeys: map[string][][]string{}}
	for _, r := range all {
		for _, tests := range [][]valueTest{r.query, r.form, r.param} {
			for _, t := range tests {
				x.declare(t.key)
			}
		}
		if r.graphql != nil {
			for _, name := range graphqlParams {
				x.declare(name)
			}
			x.storedGraphQL = x.storedGraphQL || len(r.graphql.stored) > 0
		}
	}

	for _, r := range all {
		for _, method := range r.methods {
			if x.byMethod[method] == nil {
				x.byMethod[method] = newRuleIndex(all, method)
			}
		}
	}
	x.other = newRuleIndex(all, "")
	return x
}

// newRuleIndex indexes the rules for one method; "" is a method that no rule names.
func newRuleIndex(all []*rule, method string) *ruleIndex {
	x := &ruleIndex{byPath: map[string][]*rule{}, bySegment: map[string][]*rule{}}
	fitting := slices.DeleteFunc(slices.Clone(all), func(r *rule) bool {
		return len(r.methods) > 0 && !slices.Contains(r.methods, method)
	})

	for _, r := range fitting { // all keys first: a rule with a pattern goes into every list whose key it fits
		for i := range r.paths {
			p := &r.paths[i]
			if p.fold {
				continue
			}
			if p.literal != "" {
				x.byPath[p.literal] = nil
			}
			if len(p.segments) > 0 && p.segments[0].plain {
				x.bySegment[p.segments[0].literal] = nil
			}
		}
	}
	for _, r := range fitting {
		x.add(r)
	}
	return x
}

func (x *ruleIndex) add(r *rule) {
	for path := range x.byPath {
		var b bindings
		if r.pathFits(&request{path: path}, &b) {
			x.byPath[path] = append(x.byPath[path], r)
		}
	}
	for first := range x.bySegment {
		if slices.ContainsFunc(r.paths, func(p pathPattern) bool { return p.mayBegin(first) }) {
			x.bySegment[first] = append(x.bySegment[first], r)
		}
	}
	if slices.ContainsFunc(r.paths, func(p pathPattern) bool { return len(p.segments) == 0 || !p.segments[0].plain || p.fold }) {
		x.rest = append(x.rest, r)
	}
}

// candidates are the rules that may match, in order. path begins with a slash.
func (x *ruleSet) candidates(method, path string) []*rule {
	index := x.byMethod[method]
	if index == nil {
		index = x.other
	}

	if list, ok := index.byPath[path]; ok {
		return list
	}
	first, _, _ := strings.Cut(path[1:], "/")
	if list, ok := index.bySegment[first]; ok {
		return list
	}
	return index.rest
}
