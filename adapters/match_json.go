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

// maxJSONDepth bounds the nesting of a JSON body.
const maxJSONDepth = 64

// isJSON reports whether the body has a JSON media type. The last two are those of JSON-RPC over HTTP.
func (r *request) isJSON() bool {
	media, ok := r.mediaType()
	return ok && (media == "application/json" || strings.HasSuffix(media, "+json") ||
		media == "application/json-rpc" || media == "application/jsonrequest")
}

// readJSON parses the body as JSON, once. An object with a key that comes twice cannot be read. No body is no value.
func (r *request) readJSON() bool { return r.jsonState.parse(r.parseJSON) }

func (r *request) parseJSON() bool {
	if !r.bodyReadable() {
		return false
	}
	if len(r.q.Body) == 0 {
		return true
	}
	if !r.isJSON() {
		return r.doubtBody(doubtMediaType)
	}
	if !utf8.Valid(r.q.Body) {
		return r.doubtBody(doubtSyntax)
	}

	decoder := json.NewDecoder(bytes.NewReader(r.q.Body))
	decoder.UseNumber()
	parsed, ok := decodeStrictly(decoder, 0)
	if !ok {
		return r.doubtBody(doubtSyntax)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return r.doubtBody(doubtSyntax)
	}
	r.json = parsed
	return true
}

// decodeStrictly reads one value. It refuses keys that come twice in an object, also those that differ only in case.
func decodeStrictly(decoder *json.Decoder, depth int) (any, bool) {
	token, err := decoder.Token()
	if err != nil || depth > maxJSONDepth {
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(decoder, depth)
	case json.Delim('['):
		return decodeList(decoder, depth)
	}
	return token, true
}

func decodeObject(decoder *json.Decoder, depth int) (any, bool) {
	object := map[string]any{}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		key, isText := token.(string)
		if err != nil || !isText || seen[strings.ToLower(key)] {
			return nil, false
		}
		seen[strings.ToLower(key)] = true

		member, ok := decodeStrictly(decoder, depth+1)
		if !ok {
			return nil, false
		}
		object[key] = member
	}
	_, err := decoder.Token()
	return object, err == nil
}

func decodeList(decoder *json.Decoder, depth int) (any, bool) {
	list := []any{}
	for decoder.More() {
		element, ok := decodeStrictly(decoder, depth+1)
		if !ok {
			return nil, false
		}
		list = append(list, element)
	}
	_, err := decoder.Token()
	return list, err == nil
}

// calls are the members of a batch, or the one body. An empty list is one call that has nothing.
func (r *request) calls(batch bool) []any {
	list, ok := r.json.([]any)
	if ok && batch && len(list) > 0 {
		return list
	}
	return []any{r.json}
}

// jsonAt follows a dotted pointer. An object or a list where one value is meant is doubtful; null is absent.
func jsonAt(v any, pointer string) value {
	for key := range strings.SplitSeq(pointer, ".") {
		v, _ = childOf(v, key)
	}

	switch v := v.(type) {
	case nil:
		return value{}
	case string:
		if !text.IsClear(v) {
			return value{state: doubtful}
		}
		return value{text: v, state: present}
	case json.Number:
		return value{text: v.String(), state: present}
	case bool:
		return value{text: strconv.FormatBool(v), state: present}
	}
	return value{state: doubtful}
}

// fits reports whether the object at the path has no other keys than the allowed ones. What is absent has no keys; a
// list or a plain value does not fit.
func (k *keysTest) fits(v any) bool {
	for _, key := range k.path {
		object, ok := v.(map[string]any)
		if v != nil && !ok {
			return false
		}
		v = object[key]
	}
	if v == nil {
		return true
	}

	object, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for key := range object {
		if !k.allows(key) {
			return false
		}
	}
	return true
}

func (k *keysTest) allows(key string) bool {
	var none bindings
	for i := range k.allowed {
		if k.allowed[i].match(key, &none) {
			return true
		}
	}
	return false
}
