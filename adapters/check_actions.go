package adapters

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// checkActions looks at names and order; compile finds bad patterns.
func (d *draft) checkActions() {
	first := map[string]int{}
	for i, a := range d.spec.Actions {
		key := fmt.Sprintf("actions[%d]", i)
		if a.Name != "" && (strings.Trim(a.Name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || strings.HasPrefix(a.Name, ".") || strings.HasSuffix(a.Name, ".")) {
			d.at(key+".name", "lower case words joined by dots, as in page.read", "action name %q is not a name", a.Name)
		}
		for _, m := range a.Match.Method {
			if m == "" || strings.ToUpper(m) != m || !text.IsToken(m) {
				d.at(key+".match.method", "upper case, as in POST", "%q is not a method", m)
			}
		}
		for _, p := range a.Match.Path {
			if !strings.HasPrefix(p, "/") {
				d.at(key+".match.path", "", "path %q does not start with /", p)
			}
		}
		for place, names := range map[string]map[string]Strings{"query": a.Match.Query, "form": a.Match.Form, "param": a.Match.Param,
			"json": a.Match.JSON, "xml": a.Match.XML, "graphql.argument": a.Match.GraphQL.Argument} {
			if _, empty := names[""]; empty {
				d.at(key+".match."+place, "", "match.%s has an entry without a name", place)
			}
		}
		for name := range a.Match.Header {
			if !text.IsToken(name) {
				d.at(key+".match.header."+name, "", "%q is not a header name", name)
			} else if (&Adapter{spec: d.spec}).judge(name, "") != passes {
				d.at(key+".match.header."+name, "headers.pass lets it through", "the header %s is removed from requests, so the application cannot go by it", name)
			}
		}
		for param := range a.Match.Param {
			if a.Match.Query[param] != nil || a.Match.Form[param] != nil {
				d.at(key+".match.param", "", "%q is in param and in query or form", param)
			}
		}
		d.checkShadow(i, a, first)
	}
}

// checkShadow finds an action that an earlier one with the same match, or the same but for fewer methods, hides.
func (d *draft) checkShadow(i int, a ActionSpec, first map[string]int) {
	methods := slices.Clone(a.Match.Method)
	match := a.Match
	match.Method = nil
	text, err := json.Marshal(match)
	if err != nil {
		return
	}
	if len(methods) == 0 {
		methods = Strings{""}
	}
	hidden, by := 0, 0
	for _, m := range methods {
		for _, k := range []string{m, ""} {
			if j, ok := first[k+" "+string(text)]; ok {
				hidden, by = hidden+1, j
				break
			}
		}
	}
	if hidden == len(methods) {
		other := d.spec.Actions[by]
		d.at(fmt.Sprintf("actions[%d]", i), "", "action %q can never be reached: %q on line %d matches the same requests first",
			a.Name, other.Name, d.line(fmt.Sprintf("actions[%d]", by)))
	}
	for _, m := range methods {
		if _, ok := first[m+" "+string(text)]; !ok {
			first[m+" "+string(text)] = i
		}
	}
}

func sortedNames(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
