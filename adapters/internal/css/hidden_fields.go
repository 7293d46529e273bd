package css

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// HiddenFields returns the hidden fields of the first form on a page that a selector matches.
func HiddenFields(page []byte, selector string) (url.Values, error) {
	parts, err := Parse(selector)
	if err != nil {
		return nil, err
	}
	last := parts[len(parts)-1]
	if last.tag != "" && last.tag != "form" {
		return nil, errors.New("the selector does not select a form")
	}

	f := newFinder(page, parts)
	tokens := f.tokens
	if _, found := f.next(); !found {
		return nil, errors.New("the last page has no such form")
	}

	fields := url.Values{}
	for {
		switch tokens.Next() {
		case html.ErrorToken: // browsers end the form with the page, too
			return fields, nil

		case html.EndTagToken:
			if name, _ := tokens.TagName(); string(name) == "form" {
				return fields, nil
			}

		case html.StartTagToken, html.SelfClosingTagToken:
			element := tokens.Token()
			kind, _ := attribute(&element, "type")
			name, _ := attribute(&element, "name")
			if element.Data == "input" && strings.EqualFold(kind, "hidden") && name != "" {
				value, _ := attribute(&element, "value")
				fields.Add(name, value)
			}
		}
	}
}
