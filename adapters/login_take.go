package adapters

import (
	"errors"
	"regexp"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/css"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// takeValue reads one value from an answer. found is false if the answer does not have it.
func (d *Dialogue) takeValue(t *Take, r *Reply) (value string, found bool, err error) {
	switch {
	case t.CSS != "":
		return css.Select(r.Body, t.CSS, t.Attr)

	case t.JSON != "":
		return selectJSON(r.Body, t.JSON)

	case t.Header != "":
		value = fieldValue(r.Fields, t.Header)
		return value, value != "", nil

	case t.Cookie != "":
		for _, c := range d.session.jar.Cookies() { // which has the cookies of this answer, too
			if text.Glob(t.Cookie, c.Name, nil) {
				return c.Value, true, nil
			}
		}
		return "", false, nil

	case t.Regexp != "":
		return selectRegexp(r.Body, t.Regexp)
	}
	return "", false, errors.New("one of css, json, header, cookie and regexp must be given")
}

// selectRegexp returns the first group of the first match, or the match if the expression has no
// group.
func selectRegexp(body []byte, expression string) (string, bool, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return "", false, errors.New("the regexp does not compile")
	}

	match := re.FindSubmatch(body)
	if match == nil {
		return "", false, nil
	}
	return string(match[min(1, len(match)-1)]), true, nil
}

// selectJSON returns the text, number or boolean at a dotted pointer (a.b.0) or at one of RFC 6901
// (/a/b/0). It returns false if there is none.
func selectJSON(body []byte, pointer string) (string, bool, error) {
	answer, err := decodeJSON(body)
	if err != nil {
		return "", false, errors.New("the answer is not JSON")
	}

	v, found := followPointer(answer, pointer)
	if !found {
		return "", false, nil
	}
	text, isScalar := scalarText(v)
	return text, isScalar, nil
}

// pointerEscapes are the escapes of RFC 6901 section 4.
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// pointerKeys returns the keys of a dotted pointer or of one of RFC 6901.
func pointerKeys(pointer string) []string {
	rest, isStandard := strings.CutPrefix(pointer, "/")
	if !isStandard {
		return strings.Split(pointer, ".")
	}

	keys := strings.Split(rest, "/")
	for i := range keys {
		keys[i] = pointerEscapes.Replace(keys[i])
	}
	return keys
}

// followPointer returns the value to which a dotted pointer or one of RFC 6901 leads.
func followPointer(v any, pointer string) (any, bool) {
	for _, key := range pointerKeys(pointer) {
		next, found := childOf(v, key)
		if !found {
			return nil, false
		}
		v = next
	}
	return v, true
}
