// Package css finds elements of an HTML page by a small part of the selectors of CSS.
package css

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// compound is one part of a selector between spaces: tag, #id, .class and [attr…], all of which must fit.
type compound struct {
	tag   string // "" or "*" is every element
	tests []attrTest
}

type attrTest struct {
	name, value string
	op          byte // 0 is there, '=' is, '~' has the word, '^' begins, '$' ends, '*' contains
}

// Select finds the first element that fits a selector and gives its attribute or, without one, its text.
func Select(body []byte, selector, attr string) (string, bool, error) {
	parts, err := Parse(selector)
	if err != nil {
		return "", false, err
	}
	tokens := html.NewTokenizer(bytes.NewReader(body))
	element, found := seek(tokens, parts)
	if !found {
		return "", false, nil
	}
	return readElement(tokens, &element, attr)
}

// seek reads on to the first element that fits.
func seek(tokens *html.Tokenizer, parts []compound) (html.Token, bool) {
	type open struct {
		tag   string
		state int // so many parts fit among it and its ancestors
	}
	stack := []open{{}}
	for {
		kind := tokens.Next()
		switch kind {
		case html.ErrorToken:
			return html.Token{}, false
		case html.EndTagToken:
			name, _ := tokens.TagName()
			for i := len(stack) - 1; i > 0; i-- {
				if stack[i].tag == string(name) {
					stack = stack[:i]
					break
				}
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			element := tokens.Token()
			state := stack[len(stack)-1].state
			if parts[state].fits(&element) {
				if state == len(parts)-1 {
					return element, true
				}
				state++
			}
			if kind == html.StartTagToken && !slices.Contains(voidElements, element.Data) {
				stack = append(stack, open{element.Data, state})
			}
		}
	}
}

var voidElements = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

func readElement(tokens *html.Tokenizer, element *html.Token, attr string) (string, bool, error) {
	if attr != "" {
		v, ok := attribute(element, strings.ToLower(attr))
		return v, ok, nil
	}
	var text strings.Builder
	for depth := 1; depth > 0; {
		switch tokens.Next() {
		case html.ErrorToken:
			depth = 0
		case html.TextToken:
			text.Write(tokens.Text())
		case html.StartTagToken:
			if name, _ := tokens.TagName(); string(name) == element.Data {
				depth++
			}
		case html.EndTagToken:
			if name, _ := tokens.TagName(); string(name) == element.Data {
				depth--
			}
		}
	}
	return strings.TrimSpace(html.UnescapeString(text.String())), true, nil
}

func attribute(element *html.Token, name string) (string, bool) {
	for _, a := range element.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func (c *compound) fits(element *html.Token) bool {
	if c.tag != "" && c.tag != "*" && c.tag != element.Data {
		return false
	}
	for _, t := range c.tests {
		v, ok := attribute(element, t.name)
		switch t.op {
		case '=':
			ok = ok && v == t.value
		case '~':
			ok = ok && slices.Contains(strings.Fields(v), t.value)
		case '^':
			ok = ok && strings.HasPrefix(v, t.value)
		case '$':
			ok = ok && strings.HasSuffix(v, t.value)
		case '*':
			ok = ok && strings.Contains(v, t.value)
		}
		if !ok {
			return false
		}
	}
	return true
}

func Parse(text string) ([]compound, error) {
	bad := fmt.Errorf("selector %q is not understood: write element, #id, .class, [attr=value], and descendants by a space", text)
	var parts []compound
	fresh := true
	for rest := strings.TrimSpace(text); rest != ""; {
		if rest[0] == ' ' {
			rest, fresh = strings.TrimLeft(rest, " "), true
			continue
		}
		if fresh {
			parts, fresh = append(parts, compound{}), false
		}
		c := &parts[len(parts)-1]
		switch rest[0] {
		case '#', '.':
			name, after := cutName(rest[1:])
			if name == "" {
				return nil, bad
			}
			test := attrTest{name: "id", op: '=', value: name}
			if rest[0] == '.' {
				test = attrTest{name: "class", op: '~', value: name}
			}
			c.tests, rest = append(c.tests, test), after
		case '[':
			end := strings.IndexByte(rest, ']')
			if q := strings.IndexAny(rest, `"'`); q > 0 && q < end { // a quoted value may hold ]
				if close := strings.IndexByte(rest[q+1:], rest[q]); close >= 0 {
					end = q + 1 + close + strings.IndexByte(rest[q+1+close:], ']')
				}
			}
			test, ok := parseAttr(rest[1:max(end, 1)])
			if end < 0 || !ok {
				return nil, bad
			}
			c.tests, rest = append(c.tests, test), rest[end+1:]
		default:
			name, after := cutName(rest)
			if rest[0] == '*' {
				name, after = "*", rest[1:]
			}
			if name == "" || c.tag != "" || len(c.tests) > 0 {
				return nil, bad
			}
			c.tag, rest = strings.ToLower(name), after
		}
	}
	if len(parts) == 0 {
		return nil, bad
	}
	return parts, nil
}

func parseAttr(text string) (attrTest, bool) {
	name, value, has := strings.Cut(text, "=")
	t := attrTest{name: strings.ToLower(strings.TrimSpace(name))}
	if has {
		t.op = '='
		if n := len(t.name); n > 0 && strings.IndexByte("~^$*", t.name[n-1]) >= 0 {
			t.op, t.name = t.name[n-1], t.name[:n-1]
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		t.value = value
	}
	return t, t.name != ""
}

func cutName(s string) (name, rest string) {
	i := 0
	for i < len(s) && (s[i] == '-' || s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 0x80) {
		i++
	}
	return s[:i], s[i:]
}
