package css

import (
	"bytes"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// HiddenFields are the hidden inputs of the first form on a page that fits the selector.
func HiddenFields(page []byte, selector string) (url.Values, error) {
	parts, err := Parse(selector)
	if err != nil {
		return nil, err
	}
	if last := parts[len(parts)-1]; last.tag != "" && last.tag != "form" {
		return nil, errors.New("the selector is not one of a form")
	}
	tokens := html.NewTokenizer(bytes.NewReader(page))
	if _, found := seek(tokens, parts); !found {
		return nil, errors.New("the last page has no such form")
	}
	fields := url.Values{}
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return fields, nil
		case html.EndTagToken:
			if name, _ := tokens.TagName(); string(name) == "form" {
				return fields, nil
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			input := tokens.Token()
			kind, _ := attribute(&input, "type")
			name, _ := attribute(&input, "name")
			if input.Data == "input" && strings.EqualFold(kind, "hidden") && name != "" {
				value, _ := attribute(&input, "value")
				fields.Add(name, value)
			}
		}
	}
}
