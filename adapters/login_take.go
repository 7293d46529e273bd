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

// take reads one value out of an answer. False: it is not there.
func (d *Dialogue) take(t *Take, r *Reply) (value string, found bool, err error) {
	switch {
	case t.CSS != "":
		return css.Select(r.Body, t.CSS, t.Attr)
	case t.JSON != "":
		return selectJSON(r.Body, t.JSON)
	case t.Header != "":
		value = fieldValue(r.Fields, t.Header)
		return value, value != "", nil
	case t.Cookie != "":
		for _, c := range d.session.jar.Cookies() { // the answer's cookies are in it already
			if text.Glob(t.Cookie, c.Name, nil) {
				return c.Value, true, nil
			}
		}
		return "", false, nil
	case t.Regexp != "":
		re, err := regexp.Compile(t.Regexp)
		if err != nil {
			return "", false, errors.New("the regexp does not compile")
		}
		m := re.FindSubmatch(r.Body)
		if m == nil {
			return "", false, nil
		}
		return string(m[min(1, len(m)-1)]), true, nil
	}
	return "", false, errors.New("it says neither css, json, header, cookie nor regexp")
}

// selectJSON follows a dotted pointer (a.b.0) or an RFC 6901 one (/a/b/0).
func selectJSON(body []byte, pointer string) (string, bool, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return "", false, errors.New("the answer is not JSON")
	}
	separator := "."
	if rest, ok := strings.CutPrefix(pointer, "/"); ok {
		pointer, separator = rest, "/"
	}
	for key := range strings.SplitSeq(pointer, separator) {
		if separator == "/" {
			key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		}
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[key]
			if !ok {
				return "", false, nil
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return "", false, nil
			}
			v = at[i]
		default:
			return "", false, nil
		}
	}
	switch v := v.(type) {
	case string:
		return v, true, nil
	case json.Number, bool:
		return fmt.Sprint(v), true, nil
	}
	return "", false, nil
}
