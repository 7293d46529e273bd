package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
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
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return "", false, errors.New("the answer is not JSON")
	}

	v, found := followPointer(v, pointer)
	if !found {
		return "", false, nil
	}
	switch v := v.(type) {
	case string:
		return v, true, nil
	case json.Number, bool:
		return fmt.Sprint(v), true, nil
	}
	return "", false, nil
}

// pointerEscapes are the escapes of RFC 6901 section 4.
var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// followPointer returns the value to which a dotted pointer or one of RFC 6901 leads.
func followPointer(v any, pointer string) (any, bool) {
	separator := "."
	if rest, ok := strings.CutPrefix(pointer, "/"); ok {
		pointer, separator = rest, "/"
	}

	for key := range strings.SplitSeq(pointer, separator) {
		if separator == "/" {
			key = pointerEscapes.Replace(key)
		}
		next, found := childOf(v, key)
		if !found {
			return nil, false
		}
		v = next
	}
	return v, true
}

// childOf returns the member of an object by its name, or the item of an array by its index.
func childOf(v any, key string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		next, ok := v[key]
		return next, ok
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}
