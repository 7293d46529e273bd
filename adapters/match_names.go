package adapters

import (
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// declare notes that some action decides by the parameter.
func (x *ruleSet) declare(name string) {
	var keys []string
	if nested, ok := nestedKeys(name); ok {
		keys = nested
	}

	base := looseName(name)
	x.declared[name] = true
	x.declaredKeys[base] = append(x.declaredKeys[base], keys)
}

// rival is a declared name that some application takes for another declared name, or for a part of it.
type rival struct {
	name string
	both bool // one is a part of the other, as do[save] is of do: only a query or a form that has both is in doubt
}

// findRivals is called once all names are declared.
func (x *ruleSet) findRivals() {
	for name := range x.declared {
		for other := range x.declared {
			if name == other || !x.isSameBase(name, other) {
				continue
			}
			keys, ok := nestedKeys(name)
			otherKeys, otherOK := nestedKeys(other)
			if ok && otherOK && keysDiffer(keys, otherKeys) {
				continue
			}
			if x.rivals == nil {
				x.rivals = map[string][]rival{}
			}
			x.rivals[name] = append(x.rivals[name], rival{other, ok && otherOK && len(keys) != len(otherKeys)})
		}
	}
	for _, all := range x.rivals {
		slices.SortFunc(all, func(a, b rival) int { return strings.Compare(a.name, b.name) })
	}
}

// isSameBase compares what stands before the brackets. An unclosed bracket has two readings: see mayBeDeclared.
func (x *ruleSet) isSameBase(a, b string) bool {
	bases := func(name string) [2]string {
		all := [2]string{looseName(name), looseName(name)}
		if i := strings.IndexByte(name, '['); i >= 0 && strings.IndexByte(name[i:], ']') < 0 {
			all[1] = looseName(strings.ReplaceAll(name, "[", "_"))
		}
		return all
	}
	for _, one := range bases(a) {
		for _, other := range bases(b) {
			if one == other {
				return true
			}
		}
	}
	return false
}

// hasRival reports whether the request has a parameter that some application takes for the named one. present says
// whether params, which are those of the query or of the form, have the named one as well.
func (r *request) hasRival(name string, present bool, params []body.Pair) bool {
	for _, other := range r.rules.rivals[name] {
		switch {
		case other.both && present && hasParam(params, other.name):
			return true
		case !other.both && (hasParam(r.params, other.name) || hasParam(r.form, other.name) || slices.Contains(r.files, other.name)):
			return true
		}
	}
	return false
}

func hasParam(params []body.Pair, name string) bool {
	return slices.ContainsFunc(params, func(p body.Pair) bool { return p.Name == name })
}

// mayBeDeclared reports whether an application may take a parameter that no action decides by for one that some action
// does. Nested names, as PHP and Rails read them, are different if they differ in some key: issue[notes] is never
// issue[project_id], but issue, issue[] and issue[project_id][] may be. A name with an unclosed bracket has two readings:
// PHP turns the bracket into _, and others end the name there.
func (x *ruleSet) mayBeDeclared(name string) bool {
	if i := strings.IndexByte(name, '['); i >= 0 && strings.IndexByte(name[i:], ']') < 0 {
		if x.declaredKeys[looseName(strings.ReplaceAll(name, "[", "_"))] != nil {
			return true
		}
	}

	declared := x.declaredKeys[looseName(name)]
	if declared == nil {
		base := withoutConverters(name)
		return len(base) < len(name) && x.mayBeDeclared(base)
	}

	keys, ok := nestedKeys(name)
	if !ok {
		return true
	}
	for _, other := range declared {
		if !keysDiffer(keys, other) {
			return true
		}
	}
	return false
}

// withoutConverters cuts what Zope takes for a converter of the value, as in id:int and id:utf8:ustring:list.
func withoutConverters(name string) string {
	i := strings.IndexByte(name, ':')
	if i <= 0 {
		return name
	}
	for converter := range strings.SplitSeq(name[i+1:], ":") {
		if !zopeConverters[converter] {
			return name
		}
	}
	return name[:i]
}

var zopeConverters = map[string]bool{
	"int": true, "long": true, "float": true, "boolean": true, "string": true, "bytes": true, "ustring": true, "ubytes": true, "date": true, "date_international": true,
	"list": true, "tuple": true, "lines": true, "ulines": true, "tokens": true, "utokens": true, "text": true, "utext": true, "required": true, "json": true,
	"record": true, "records": true, "default": true, "ignore_empty": true, "utf8": true, "utf_8": true, "latin1": true, "ascii": true,
}

// keysDiffer reports whether neither list is the beginning of the other.
func keysDiffer(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] == "" || b[i] == "" {
			return false // a[] is whichever element comes next
		}
		if a[i] != b[i] {
			return true
		}
	}
	return false
}

// nestedKeys are x and y of a[x][y], in lower case. Rails sets a date by date(1i), so a key ends before a parenthesis.
// It is false for a name whose brackets can be read in several ways.
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
		keys = append(keys, strings.ToLower(strings.TrimSpace(key)))
		rest = after
	}
	return keys, true
}

// looseName is a parameter's name as the most forgiving application reads it. PHP trims leading blanks, cuts at NUL,
// takes "a[b]" for a, and turns blanks and dots into _; Rack ends a name at either bracket, so that "a]" is a; some
// decoders drop bytes that are not UTF-8, and other applications ignore case.
func looseName(name string) string {
	if isPlainName(name) {
		return name
	}

	name = strings.TrimLeft(text.FoldToASCII(strings.ToValidUTF8(name, "")), " \t\r\n+")
	if i := strings.IndexAny(name, "\x00[]"); i > 0 {
		name = name[:i]
	}
	name = strings.TrimRight(name, " \t\r\n")
	return strings.ToLower(strings.Map(func(c rune) rune {
		if c == ' ' || c == '.' || c == '[' || c == '+' {
			return '_'
		}
		return c
	}, name))
}

// isPlainName reports whether every application reads a name as it is written.
func isPlainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c <= ' ' || c >= 0x7f || c == '[' || c == ']' || c == '.' || c == '+' || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}
