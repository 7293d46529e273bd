package css

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Select returns an attribute of the first element on a page that a selector matches, or its text if
// attr is "". found is false if the page has no such element, or the element no such attribute. It
// fails if the selector cannot be parsed.
func Select(page []byte, selector, attr string) (value string, found bool, err error) {
	parts, err := Parse(selector)
	if err != nil {
		return "", false, err
	}

	tokens := html.NewTokenizer(bytes.NewReader(page))
	element, found := findElement(tokens, parts)
	if !found {
		return "", false, nil
	}
	if attr != "" {
		value, found = attribute(&element, strings.ToLower(attr))
		return value, found, nil
	}
	return readText(tokens, &element), true, nil
}

// voidElements have no end tag (HTML, section 13.1.2).
var voidElements = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// findElement reads up to the start tag of the first element that a selector matches.
func findElement(tokens *html.Tokenizer, parts []compound) (html.Token, bool) {
	// The stack has the open elements. matched is how many parts of the selector an element and its
	// ancestors match, so the next element in it is compared with parts[matched].
	type openElement struct {
		tag     string
		matched int
	}
	stack := []openElement{{}}

	for {
		kind := tokens.Next()
		switch kind {
		case html.ErrorToken:
			return html.Token{}, false

		case html.EndTagToken:
			name, _ := tokens.TagName()
			for i := len(stack) - 1; i > 0; i-- { // an end tag also closes elements that lack theirs
				if stack[i].tag == string(name) {
					stack = stack[:i]
					break
				}
			}

		case html.StartTagToken, html.SelfClosingTagToken:
			element := tokens.Token()
			matched := stack[len(stack)-1].matched
			if parts[matched].matches(&element) {
				matched++
				if matched == len(parts) {
					return element, true
				}
			}
			if kind == html.StartTagToken && !slices.Contains(voidElements, element.Data) {
				stack = append(stack, openElement{element.Data, matched})
			}
		}
	}
}

// readText reads up to the end tag of an element and returns the text in it, without blanks at its
// ends.
func readText(tokens *html.Tokenizer, element *html.Token) string {
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
	return strings.TrimSpace(html.UnescapeString(text.String()))
}

// attribute returns an attribute of an element, and false if it has none of that name.
func attribute(element *html.Token, name string) (string, bool) {
	for _, a := range element.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
