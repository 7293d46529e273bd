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

// resourceFilters make one spelling out of several: {page|underscores|first_upper}.
var resourceFilters = map[string]func(string) string{
	"lower":       strings.ToLower,
	"upper":       strings.ToUpper,
	"first_upper": firstUpper,
	"underscores": underscores,
}

func firstUpper(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 || c == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(c)) + s[n:]
}

// underscores writes every run of blanks and _ as one _, and none at the ends.
func underscores(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == '_' || unicode.IsSpace(c) }), "_")
}

// compileResource parses "page/{page|lower}" into parts over the variables of a match.
func compileResource(template string, vars slots) ([]part, error) {
	var parts []part
	for rest := template; rest != ""; {
		i := strings.IndexAny(rest, "*{}")
		if i < 0 {
			return append(parts, part{text: rest, slot: -1}), nil
		}
		if i > 0 {
			parts, rest = append(parts, part{text: rest[:i], slot: -1}), rest[i:]
		}
		inner, after, closed := strings.Cut(rest[1:], "}")
		name, chain, _ := strings.Cut(inner, "|")
		switch {
		case rest[0] == '*':
			return nil, fmt.Errorf("resource %q has a *: it must name one thing", template)
		case rest[0] == '}' || !closed || !variableName(name):
			return nil, fmt.Errorf("resource %q has a brace without a variable name in a pair of them", template)
		}
		p := part{wild: true, slot: slices.Index(vars, name)}
		if p.slot < 0 {
			return nil, fmt.Errorf("resource %q names {%s}, which match does not bind", template, name)
		}
		for f := range strings.SplitSeq(chain, "|") {
			if f = strings.TrimSpace(f); f == "" {
				continue
			}
			if resourceFilters[f] == nil {
				return nil, fmt.Errorf("resource %q has the unknown filter %q: %s", template, f, text.Nearest(f, slices.Collect(maps.Keys(resourceFilters))))
			}
			p.filters = append(p.filters, resourceFilters[f])
		}
		parts, rest = append(parts, p), after
	}
	return parts, nil
}
