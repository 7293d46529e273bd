package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// rewrite is a compiled Rewrite: a path that the application reads as another one with parameters.
type rewrite struct {
	path  pathPattern
	to    string
	query []rewrittenParam
}

// rewrittenParam is a parameter that the path holds.
type rewrittenParam struct {
	name  string
	value []part
}

// compileRewrites reports what is wrong with paths.rewrite. It declares the parameters in x, so that a second one of the
// name, in the query, is seen.
func (d *draft) compileRewrites(x *ruleSet) (all []rewrite) {
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
			spec.Path = strings.ToLower(spec.Path)
			spec.To = strings.ToLower(spec.To)
		}
		var vars variables
		path, err := compilePath(spec.Path, &vars, false)
		if err == nil && len(vars) > maxVariables {
			err = fmt.Errorf("path binds %d variables; at most %d", len(vars), maxVariables)
		}
		if err != nil {
			d.at(key+".path", "", "%v", err)
			continue
		}

		r := rewrite{path: path, to: spec.To}
		for _, name := range slices.Sorted(maps.Keys(spec.Query)) {
			parts, err := compileTemplate(spec.Query[name], vars)
			if err != nil {
				d.at(key+".query."+name, "", "%s", err)
			}
			x.declare(name)
			r.query = append(r.query, rewrittenParam{name, parts})
		}
		all = append(all, r)
	}
	return all
}

// rewrite reads the path of a request as the other path that it stands for, if any.
func (x *ruleSet) rewrite(r *request) {
	for i := range x.rewrites {
		w := &x.rewrites[i]
		var b bindings
		if !w.path.match(r.path, &b) {
			continue
		}

		r.path = w.to
		for _, p := range w.query {
			r.params = append(r.params, body.Pair{Name: p.name, Value: fillTemplate(p.value, &b)})
		}
		return
	}
}
