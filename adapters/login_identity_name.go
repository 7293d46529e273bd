package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/byline-proxy/byline/adapters/internal/css"
)

// readNames returns the different names that an answer has where identity says, without blanks. All
// places count: a page may show what others have written, and if two places disagree nobody knows
// which one the application means.
func readNames(id *IdentitySpec, r *Reply) ([]string, error) {
	var found []string
	var err error
	switch {
	case id.CSS != "":
		found, err = css.SelectAll(r.Body, id.CSS, id.Attr)
	case id.JSON != "":
		found, err = selectAllJSON(r.Body, id.JSON)
	case id.Header != "":
		for _, f := range r.Fields {
			if strings.EqualFold(f.Name, id.Header) {
				found = append(found, f.Value)
			}
		}
	case id.Regexp != "":
		found, err = selectAllRegexp(r.Body, id.Regexp)
		if strings.Contains(mediaType(fieldValue(r.Fields, "Content-Type")), "html") {
			for i := range found {
				found[i] = html.UnescapeString(found[i])
			}
		}
	}
	if err != nil {
		return nil, err
	}

	var names []string
	for _, name := range found {
		name = joinSpaces(name)
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// selectAllRegexp returns the first group of every match, or the matches if the expression has no
// group.
func selectAllRegexp(body []byte, expression string) ([]string, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, errors.New("the regexp does not compile")
	}

	var found []string
	for _, match := range re.FindAllSubmatch(body, -1) {
		found = append(found, string(match[min(1, len(match)-1)]))
	}
	return found, nil
}

// selectAllJSON returns every text, number or boolean to which a pointer leads. An object may have a
// name twice, and readers disagree about which one counts. The body must be one JSON value.
func selectAllJSON(body []byte, pointer string) ([]string, error) {
	if !json.Valid(body) {
		return nil, errors.New("the answer is not JSON")
	}
	return appendAtPointer(nil, body, pointerKeys(pointer))
}

// appendAtPointer appends the scalars to which the keys lead in a valid JSON text.
func appendAtPointer(found []string, text json.RawMessage, keys []string) ([]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	first, err := decoder.Token()
	if err != nil {
		return nil, err
	}

	delim, isDelim := first.(json.Delim)
	switch {
	case len(keys) == 0 && !isDelim:
		if v, ok := scalarText(first); ok {
			found = append(found, v)
		}
		return found, nil
	case len(keys) == 0 || !isDelim:
		return found, nil
	}

	for i := 0; decoder.More(); i++ {
		key := strconv.Itoa(i)
		if delim == '{' {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			key, _ = name.(string)
		}
		var child json.RawMessage
		if err := decoder.Decode(&child); err != nil {
			return nil, err
		}
		if key == keys[0] {
			if found, err = appendAtPointer(found, child, keys[1:]); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// joinSpaces returns a text with every run of white space as one space, and none at its ends.
func joinSpaces(s string) string { return strings.Join(strings.Fields(s), " ") }

// equalFoldPlainly reports whether two texts are equal but for the case of letters. A letter outside
// ASCII never equals one of ASCII, as the Kelvin sign and K do for strings.EqualFold. Otherwise a
// person who chooses a name could choose one that reads like another's.
func equalFoldPlainly(a, b string) bool {
	x, y := []rune(a), []rune(b)
	return slices.EqualFunc(x, y, func(p, q rune) bool {
		return p == q || (p <= unicode.MaxASCII) == (q <= unicode.MaxASCII) && unicode.ToLower(p) == unicode.ToLower(q)
	})
}

// take returns where the name is in the answer.
func (id *IdentitySpec) take() Take {
	return Take{CSS: id.CSS, Attr: id.Attr, JSON: id.JSON, Header: id.Header, Regexp: id.Regexp}
}
