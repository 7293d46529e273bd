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

	f := newFinder(page, parts)
	element, found := f.next()
	if !found {
		return "", false, nil
	}
	if attr != "" {
		value, found = attribute(&element, strings.ToLower(attr))
		return value, found, nil
	}
	return f.readText(&element), true, nil
}

// SelectAll is Select for every element that the selector matches, in the order of the page, except
// those within an element whose text it returns. An element without the attribute counts as "".
func SelectAll(page []byte, selector, attr string) (values []string, err error) {
	parts, err := Parse(selector)
	if err != nil {
		return nil, err
	}

	f := newFinder(page, parts)
	for {
		element, found := f.next()
		if !found {
			return values, nil
		}
		if attr == "" {
			values = append(values, f.readText(&element))
			continue
		}
		value, _ := attribute(&element, strings.ToLower(attr))
		values = append(values, value)
	}
}

// voidElements have no end tag (HTML, section 13.1.2).
var voidElements = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// finder finds the elements of a page that a selector matches, one after the other.
type finder struct {
	tokens *html.Tokenizer
	parts  []compound
	open   []openElement // the elements around the place that was read last
}

// openElement is an element whose end tag was not read yet. matched is how many parts of the selector
// the element and its ancestors match, at most all but the last one, so the elements in it are compared
// with parts[matched].
type openElement struct {
	tag     string
	matched int
}

func newFinder(page []byte, parts []compound) *finder {
	return &finder{
		tokens: html.NewTokenizer(bytes.NewReader(page)),
		parts:  parts,
		open:   []openElement{{}},
	}
}

// next reads up to the start tag of the next element that the selector matches.
func (f *finder) next() (html.Token, bool) {
	for {
		kind := f.tokens.Next()
		switch kind {
		case html.ErrorToken:
			return html.Token{}, false

		case html.EndTagToken:
			name, _ := f.tokens.TagName()
			f.closeElement(string(name))

		case html.StartTagToken, html.SelfClosingTagToken:
			element := f.tokens.Token()
			matched := f.open[len(f.open)-1].matched
			matches := f.parts[matched].matches(&element)
			found := matches && matched == len(f.parts)-1
			if matches && !found {
				matched++
			}
			if (kind == html.StartTagToken || found) && !slices.Contains(voidElements, element.Data) { // readText closes what is found
				f.open = append(f.open, openElement{element.Data, matched})
			}
			if found {
				return element, true
			}
		}
	}
}

// closeElement closes the innermost open element of the name and those in it, which lack an end tag.
func (f *finder) closeElement(name string) {
	for i := len(f.open) - 1; i > 0; i-- {
		if f.open[i].tag == name {
			f.open = f.open[:i]
			return
		}
	}
}

// readText reads up to the end tag of an element and returns the text in it, without blanks at its
// ends.
func (f *finder) readText(element *html.Token) string {
	if slices.Contains(voidElements, element.Data) {
		return ""
	}

	var text strings.Builder
	for depth := 1; depth > 0; {
		switch f.tokens.Next() {
		case html.ErrorToken:
			depth = 0

		case html.TextToken:
			text.Write(f.tokens.Text())

		case html.StartTagToken:
			if name, _ := f.tokens.TagName(); string(name) == element.Data {
				depth++
			}

		case html.EndTagToken:
			if name, _ := f.tokens.TagName(); string(name) == element.Data {
				depth--
			}
		}
	}
	f.closeElement(element.Data)
	return strings.TrimSpace(text.String()) // Text has unescaped it
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
