package testenv

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"
)

// encodingsOf returns the ways in which a value may be written, in lower case:
// plain, escaped for URLs, HTML and JSON, and each of these in hex and base64.
func encodingsOf(value string) [][]byte {
	var all [][]byte
	add := func(s string) { all = append(all, bytes.ToLower([]byte(s))) }
	for _, escaped := range escapedForms(value) {
		add(escaped)
		add(hex.EncodeToString([]byte(escaped)))
		for offset := range 3 { // base64 differs with the offset from a group of three bytes
			padded := append(make([]byte, offset), escaped...)
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				// The first characters also encode the bytes before the
				// value, the last one those after it.
				text := encoding.EncodeToString(padded)
				add(text[(offset*8+5)/6 : len(padded)*8/6])
			}
		}
	}
	return all
}

// escapedForms returns value and the forms of it that differ when escaped for a
// URL, HTML or JSON, or unescaped from a URL.
func escapedForms(value string) []string {
	forms := []string{value}
	quoted, _ := json.Marshal(value)
	for _, f := range []string{url.QueryEscape(value), url.PathEscape(value), html.EscapeString(value), strings.Trim(string(quoted), `"`)} {
		if f != value {
			forms = append(forms, f)
		}
	}
	if plain, err := url.QueryUnescape(value); err == nil && plain != value {
		forms = append(forms, plain)
	}
	return forms
}

// indexKeyLength is the length of the prefix by which an index finds values.
const indexKeyLength = 10

// index finds many values in a text in one pass.
type index struct {
	byPrefix map[[indexKeyLength]byte][]indexEntry
}

type indexEntry struct {
	encoded []byte // in lower case
	what    string // description of the value
}

// newIndex returns an index of all encodings of the values, which map to their
// descriptions.
func newIndex(values ...map[string]string) *index {
	ix := &index{byPrefix: map[[indexKeyLength]byte][]indexEntry{}}
	for _, m := range values {
		for value, what := range m {
			for _, encoded := range encodingsOf(value) {
				if len(encoded) < indexKeyLength {
					continue
				}
				key := [indexKeyLength]byte(encoded)
				ix.byPrefix[key] = append(ix.byPrefix[key], indexEntry{encoded, what})
			}
		}
	}
	return ix
}

// find returns the description of the first value in text, or the empty string.
// It ignores case.
func (ix *index) find(text []byte) string {
	text = bytes.ToLower(text)
	for i := 0; i+indexKeyLength <= len(text); i++ {
		for _, e := range ix.byPrefix[[indexKeyLength]byte(text[i:])] {
			if bytes.HasPrefix(text[i:], e.encoded) {
				return e.what
			}
		}
	}
	return ""
}

// ContainsSecret reports whether text contains the value in any encoding.
func ContainsSecret(text, value string) bool {
	return newIndex(map[string]string{value: "the value"}).find([]byte(text)) != ""
}
