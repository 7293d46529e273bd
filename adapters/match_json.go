package adapters

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// isJSON reports a JSON media type; the last two are those of JSON-RPC over HTTP.
func (r *reading) isJSON() bool {
	media, ok := r.mediaType()
	return ok && (media == "application/json" || strings.HasSuffix(media, "+json") || media == "application/json-rpc" || media == "application/jsonrequest")
}

// readJSON parses the body as JSON, once; an object key that comes twice makes it unreadable. No body is no value.
func (r *reading) readJSON() bool {
	if r.jsonState == 0 {
		r.jsonState = 2
		if r.parseJSON() {
			r.jsonState = 1
		}
	}
	return r.jsonState == 1
}

func (r *reading) parseJSON() (ok bool) {
	if r.q.Truncated || r.coded && len(r.q.Body) > 0 {
		return false
	}
	if len(r.q.Body) == 0 {
		return true
	}
	if !r.isJSON() || !utf8.Valid(r.q.Body) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(r.q.Body))
	dec.UseNumber()
	if r.json, ok = strictJSON(dec, 0); !ok {
		return false
	}
	_, err := dec.Token()
	return err == io.EOF
}

// strictJSON reads one value and refuses duplicate keys, also those that differ only in case.
func strictJSON(dec *json.Decoder, depth int) (any, bool) {
	token, err := dec.Token()
	if err != nil || depth > 64 {
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		object, seen := map[string]any{}, map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			name, isText := key.(string)
			if err != nil || !isText || seen[strings.ToLower(name)] {
				return nil, false
			}
			seen[strings.ToLower(name)] = true
			var ok bool
			if object[name], ok = strictJSON(dec, depth+1); !ok {
				return nil, false
			}
		}
		_, err := dec.Token()
		return object, err == nil
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, ok := strictJSON(dec, depth+1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err == nil
	}
	return token, true
}

// calls are the members of a batch, or the one body. An empty list is one call that has nothing.
func (r *reading) calls(batch bool) []any {
	if list, ok := r.json.([]any); ok && batch && len(list) > 0 {
		return list
	}
	return []any{r.json}
}

// jsonAt follows a dotted pointer.
func jsonAt(v any, pointer string) field {
	for key := range strings.SplitSeq(pointer, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return field{}
			}
			v = at[i]
		default:
			return field{}
		}
	}
	switch v := v.(type) {
	case nil:
		return field{}
	case string:
		if !text.IsClear(v) {
			return field{state: doubtful}
		}
		return field{text: v, state: present}
	case json.Number:
		return field{text: v.String(), state: present}
	case bool:
		return field{text: strconv.FormatBool(v), state: present}
	}
	return field{state: doubtful} // an object or list where one value is meant
}
