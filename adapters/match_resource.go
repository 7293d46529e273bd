package adapters

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// resourceFilters make one spelling of several: {page|underscores|first_upper}.
var resourceFilters = map[string]func(string) string{
	"lower":       strings.ToLower,
	"upper":       strings.ToUpper,
	"first_upper": firstUpper,
	"underscores": underscores,
}

func firstUpper(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n == 0 || first == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(first)) + s[n:]
}

// underscores writes every run of blanks and _ as one _, and removes those at the ends.
func underscores(s string) string {
	words := strings.FieldsFunc(s, func(c rune) bool { return c == '_' || unicode.IsSpace(c) })
	return strings.Join(words, "_")
}

// compileTemplate parses the template of a resource, as page/{page|lower}, over the variables of a match.
func compileTemplate(template string, vars variables) ([]part, error) {
	var parts []part
	for rest := template; rest != ""; {
		i := strings.IndexAny(rest, "*{}")
		if i < 0 {
			return append(parts, part{text: rest, variable: -1}), nil
		}
		if i > 0 {
			parts = append(parts, part{text: rest[:i], variable: -1})
			rest = rest[i:]
		}

		inner, after, closed := strings.Cut(rest[1:], "}")
		name, chain, _ := strings.Cut(inner, "|")
		switch {
		case rest[0] == '*':
			return nil, fmt.Errorf("resource %q has a *: it must name one thing", template)
		case rest[0] == '}' || !closed || !isVariableName(name):
			return nil, fmt.Errorf("resource %q has a brace without a variable name in a pair of them", template)
		}

		p := part{wild: true, variable: slices.Index(vars, name)}
		if p.variable < 0 {
			return nil, fmt.Errorf("resource %q names {%s}, which match does not bind", template, name)
		}
		for f := range strings.SplitSeq(chain, "|") {
			f = strings.TrimSpace(f)
			if f == "" {
				continue
			}
			if resourceFilters[f] == nil {
				hint := text.Nearest(f, slices.Collect(maps.Keys(resourceFilters)))
				return nil, fmt.Errorf("resource %q has the unknown filter %q: %s", template, f, hint)
			}
			p.filters = append(p.filters, resourceFilters[f])
		}
		parts = append(parts, p)
		rest = after
	}
	return parts, nil
}
