package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// declare notes that some action decides by the parameter.
func (x *rules) declare(name string) {
	base, keys := loose(name), []string(nil)
	if nested, ok := nestedKeys(name); ok {
		keys = nested
	}
	x.declared[name], x.folded[base] = true, append(x.folded[base], keys)
}

// mistakes says whether an application may take a parameter that no action decides by for one that some does. Nested
// names, as PHP and Rails read them, are apart when they part at some key: issue[notes] is never issue[project_id], but
// issue, issue[] and issue[project_id][] may be.
func (x *rules) mistakes(name string) bool {
	declared := x.folded[loose(name)]
	if declared == nil {
		return false
	}
	keys, ok := nestedKeys(name)
	if !ok {
		return true
	}
	for _, other := range declared {
		if !apart(keys, other) {
			return true
		}
	}
	return false
}

// apart: neither is the beginning of the other.
func apart(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] == "" || b[i] == "" {
			return false // a[] is whichever comes next
		}
		if a[i] != b[i] {
			return true
		}
	}
	return false
}

// nestedKeys are x and y of a[x][y], without case. Rails sets a date by date(1i): what follows a parenthesis does not
// count. False for a name whose brackets can be read in several ways.
func nestedKeys(name string) (keys []string, ok bool) {
	i := strings.IndexByte(name, '[')
	if i < 0 {
		return nil, strings.IndexByte(name, ']') < 0
	}
	if i == 0 || !text.IsClear(name) || strings.IndexByte(name[:i], ']') >= 0 {
		return nil, false
	}
	for rest := name[i:]; rest != ""; {
		key, after, closed := strings.Cut(rest[1:], "]")
		if rest[0] != '[' || !closed || strings.IndexByte(key, '[') >= 0 {
			return nil, false
		}
		key, _, _ = strings.Cut(key, "(")
		keys, rest = append(keys, strings.ToLower(strings.TrimSpace(key))), after
	}
	return keys, true
}
