package adapters

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// decodeJSON decodes the first JSON value in a text. Numbers stay as they are written. What decides
// about a request is decoded strictly instead; see decodeStrictly.
func decodeJSON(text []byte) (any, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // the byte order mark, which .NET writes
	if rest, ok := bytes.CutPrefix(text, []byte(")]}'")); ok {
		text = bytes.TrimPrefix(rest, []byte(",")) // Angular's guard against inclusion as a script
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	return v, err
}

// childOf returns the member of an object by its name, or the item of a list by its index. It returns
// nil and false if there is none.
func childOf(v any, key string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		child, ok := v[key]
		return child, ok
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

// scalarText returns a text, number or boolean as text, and false for any other value.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
