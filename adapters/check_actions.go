package adapters

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// checkActions is about the names and the order of actions, and about what their patterns are for. compile reports
// patterns that do not parse.
func (d *draft) checkActions() {
	first := map[string]int{}
	for i := range d.spec.Actions {
		a := &d.spec.Actions[i]
		key := fmt.Sprintf("actions[%d]", i)

		if a.Name != "" && !isActionName(a.Name) {
			d.at(key+".name", "lower case words joined by dots, as in page.read", "action name %q is not a name", a.Name)
		}
		d.checkMatch(key+".match", &a.Match)
		if name := bodyCondition(&a.Match); a.Verbatim && name != "" {
			d.at(key+".verbatim", "leave out verbatim, or match."+name, "action %q sends its body as it came, so match.%s cannot look at it", a.Name, name)
		}
		d.checkMessages(key, a)
		d.checkStripped(key, a)
		d.checkShadowed(i, first)
	}
}

// bodyCondition names a key of match that looks at the body, or "".
func bodyCondition(m *MatchSpec) string {
	switch {
	case len(m.Form) > 0:
		return "form"
	case len(m.Param) > 0:
		return "param"
	case len(m.JSON) > 0:
		return "json"
	case len(m.Keys) > 0:
		return "keys"
	case len(m.XML) > 0:
		return "xml"
	case len(m.GraphQL.Type)+len(m.GraphQL.Field)+len(m.GraphQL.Argument) > 0:
		return "graphql"
	case m.Only != nil:
		return "only"
	case m.Batch:
		return "batch"
	case len(m.ContentType) > 0:
		return "content_type"
	}
	return ""
}

func isActionName(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == "" &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".")
}

func (d *draft) checkMatch(key string, m *MatchSpec) {
	for _, method := range m.Method {
		if method == "" || strings.ToUpper(method) != method || !text.IsToken(method) {
			d.at(key+".method", "upper case, as in POST", "%q is not a method", method)
		}
	}
	for _, path := range m.Path {
		if !strings.HasPrefix(path, "/") {
			d.at(key+".path", "", "path %q does not start with /", path)
		}
	}

	for place, conditions := range map[string]map[string]Strings{
		"query": m.Query, "form": m.Form, "param": m.Param, "json": m.JSON, "xml": m.XML, "graphql.argument": m.GraphQL.Argument,
	} {
		if _, unnamed := conditions[""]; unnamed {
			d.at(key+"."+place, "", "match.%s has an entry without a name", place)
		}
	}
	for param := range m.Param {
		if m.Query[param] != nil || m.Form[param] != nil {
			d.at(key+".param", "", "%q is in param and in query or form", param)
		}
	}

	for name := range m.Header {
		if !text.IsToken(name) {
			d.at(key+".header."+name, "", "%q is not a header name", name)
		} else if !(&Adapter{spec: d.spec}).mayForward(name) {
			d.at(key+".header."+name, "headers.pass lets it through", "the header %s is removed from requests, so the application cannot go by it", name)
		}
	}
}

// checkShadowed reports an action that can never be reached, because earlier ones with the same match take all of its
// methods. first maps a method, "" for every method, and the rest of a match to the first action that has them.
func (d *draft) checkShadowed(i int, first map[string]int) {
	a := &d.spec.Actions[i]
	rest, err := matchWithoutMethod(a.Match)
	if err != nil {
		return // the digest reports it
	}

	methods := a.Match.Method
	if len(methods) == 0 {
		methods = Strings{""}
	}
	taken, by := 0, 0
	for _, method := range methods {
		earlier, found := first[method+" "+string(rest)]
		if !found {
			earlier, found = first[" "+string(rest)]
		}
		if found {
			taken++
			by = earlier
		}
	}

	if taken == len(methods) {
		line := d.line(fmt.Sprintf("actions[%d]", by))
		d.at(fmt.Sprintf("actions[%d]", i), "", "action %q can never be reached: %q on line %d matches the same requests first",
			a.Name, d.spec.Actions[by].Name, line)
	}
	for _, method := range methods {
		if _, found := first[method+" "+string(rest)]; !found {
			first[method+" "+string(rest)] = i
		}
	}
}

// matchWithoutMethod is a match in JSON, but for its methods.
func matchWithoutMethod(match MatchSpec) ([]byte, error) {
	match.Method = nil
	return json.Marshal(match)
}

// sameMatch reports whether two matches differ in their methods at most.
func sameMatch(a, b *MatchSpec) bool {
	textOfA, errOfA := matchWithoutMethod(*a)
	textOfB, errOfB := matchWithoutMethod(*b)
	return errOfA == nil && errOfB == nil && string(textOfA) == string(textOfB)
}
