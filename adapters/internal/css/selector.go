// Package css finds elements of an HTML page by a small part of the selectors of CSS: element, #id,
// .class, [attr], [attr=value] with the operators ~= ^= $= and *=, and descendants by a space.
package css

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// compound is one part of a selector between spaces. An element matches if the tag and all tests do.
type compound struct {
	tag   string // in lower case; "" and "*" are every element
	tests []attrTest
}

// attrTest is a condition on one attribute.
type attrTest struct {
	name  string // in lower case
	op    byte   // 0 is present, '=' equals, '~' has the word, '^' begins, '$' ends, '*' contains
	value string
}

// matches reports whether an element matches a part of a selector.
func (c *compound) matches(element *html.Token) bool {
	if c.tag != "" && c.tag != "*" && c.tag != element.Data {
		return false
	}
	for i := range c.tests {
		if !c.tests[i].matches(element) {
			return false
		}
	}
	return true
}

func (t *attrTest) matches(element *html.Token) bool {
	v, ok := attribute(element, t.name)
	if !ok {
		return false
	}
	switch t.op {
	case '=':
		return v == t.value
	case '~':
		return slices.Contains(strings.Fields(v), t.value)
	case '^':
		return strings.HasPrefix(v, t.value)
	case '$':
		return strings.HasSuffix(v, t.value)
	case '*':
		return strings.Contains(v, t.value)
	}
	return true
}

// Parse parses a selector. The error is for the author of the selector.
func Parse(selector string) ([]compound, error) {
	var parts []compound
	for rest := strings.TrimSpace(selector); rest != ""; rest = strings.TrimLeft(rest, " ") {
		part, after, ok := parseCompound(rest)
		if !ok {
			parts = nil
			break
		}
		parts = append(parts, part)
		rest = after
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("selector %q is not understood: write element, #id, .class, [attr=value], and descendants by a space", selector)
	}
	return parts, nil
}

// parseCompound parses one part of a selector, up to the next space, and returns what follows it.
func parseCompound(text string) (c compound, rest string, ok bool) {
	rest = text
	for rest != "" && rest[0] != ' ' {
		switch rest[0] {
		case '#', '.':
			test := attrTest{name: "id", op: '='}
			if rest[0] == '.' {
				test = attrTest{name: "class", op: '~'}
			}
			test.value, rest = cutName(rest[1:])
			if test.value == "" {
				return c, "", false
			}
			c.tests = append(c.tests, test)

		case '[':
			end := endOfAttr(rest)
			if end < 0 {
				return c, "", false
			}
			test, ok := parseAttr(rest[1:end])
			if !ok {
				return c, "", false
			}
			c.tests = append(c.tests, test)
			rest = rest[end+1:]

		default:
			name, after := cutName(rest)
			if rest[0] == '*' {
				name, after = "*", rest[1:]
			}
			if name == "" || c.tag != "" || len(c.tests) > 0 { // the tag comes first
				return c, "", false
			}
			c.tag = strings.ToLower(name)
			rest = after
		}
	}
	return c, rest, true
}

// endOfAttr returns the index of the ] that ends a test at the start of text, and -1 if there is none.
// A quoted value may contain a ].
func endOfAttr(text string) int {
	end := strings.IndexByte(text, ']')
	quote := strings.IndexAny(text, `"'`)
	if quote < 0 || quote > end {
		return end
	}

	length := strings.IndexByte(text[quote+1:], text[quote])
	if length < 0 {
		return end
	}
	closing := quote + 1 + length
	length = strings.IndexByte(text[closing:], ']')
	if length < 0 {
		return -1
	}
	return closing + length
}

// parseAttr parses what is between the brackets of a test.
func parseAttr(text string) (attrTest, bool) {
	name, value, hasValue := strings.Cut(text, "=")
	t := attrTest{name: strings.ToLower(strings.TrimSpace(name))}
	if !hasValue {
		return t, t.name != ""
	}

	t.op = '='
	if n := len(t.name); n > 0 && strings.IndexByte("~^$*", t.name[n-1]) >= 0 {
		t.op = t.name[n-1]
		t.name = t.name[:n-1]
	}
	t.value = strings.TrimSpace(value)
	if n := len(t.value); n >= 2 && (t.value[0] == '"' || t.value[0] == '\'') && t.value[n-1] == t.value[0] {
		t.value = t.value[1 : n-1]
	}
	return t, t.name != ""
}

// cutName splits s after the name that it begins with, which may be "".
func cutName(s string) (name, rest string) {
	i := 0
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isNameByte(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
