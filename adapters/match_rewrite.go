package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rewrite is one spelling of a path that is read as another one; see PathSpec.
type rewrite struct {
	path  pathPattern
	to    string
	query []rewritten
}

// rewritten is a parameter that the path holds.
type rewritten struct {
	key   string
	value []part
}

// compileRewrites also declares the parameters, so that a second one of the name, in the query, is seen.
func (d *draft) compileRewrites(x *rules) (all []rewrite) {
	for i, spec := range d.spec.Paths.Rewrite {
		key := fmt.Sprintf("paths.rewrite[%d]", i)
		if !strings.HasPrefix(spec.To, "/") || strings.ContainsAny(spec.To, "*{}?") {
			d.at(key+".to", "", "%q is not a plain path", spec.To)
		}
		if !strings.HasPrefix(spec.Path, "/") {
			d.at(key+".path", "", "path %q does not start with /", spec.Path)
			continue
		}
		if x.foldPaths {
			spec.Path, spec.To = strings.ToLower(spec.Path), strings.ToLower(spec.To)
		}
		var vars slots
		path, err := compilePath(spec.Path, &vars, false)
		if err != nil || len(vars) > maxSlots {
			d.at(key+".path", "", "%v", err)
			continue
		}
		r := rewrite{path: path, to: spec.To}
		for _, name := range slices.Sorted(maps.Keys(spec.Query)) {
			parts, err := compileResource(spec.Query[name], vars)
			if err != nil {
				d.at(key+".query."+name, "", "%s", err)
			}
			x.declare(name)
			r.query = append(r.query, rewritten{name, parts})
		}
		all = append(all, r)
	}
	return all
}

// apply reads the path of a request in its other spelling, if it has one.
func (x *rules) apply(r *reading) {
	for i := range x.rewrites {
		w := &x.rewrites[i]
		var bound [maxSlots]string
		if !w.path.match(r.path, &bound) {
			continue
		}
		r.path = w.to
		for _, q := range w.query {
			r.pairs = append(r.pairs, pair{q.key, fill(q.value, &bound)})
		}
		return
	}
}
