package adapters

import (
	"strconv"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/body"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// maxJSONValues bounds the values and keys of a JSON body, each of which takes memory.
const maxJSONValues = 1 << 20

// isJSON reports whether the body has a JSON media type. The last two are those of JSON-RPC over HTTP.
func (r *request) isJSON() bool {
	media, ok := r.mediaType()
	return ok && isJSONType(media)
}

func isJSONType(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json") || media == "application/json-rpc" || media == "application/jsonrequest"
}

// readJSON parses the body as JSON, once. An object with a key that comes twice cannot be read. No body is no value.
func (r *request) readJSON() bool { return r.jsonState.parse(r.parseJSON) }

func (r *request) parseJSON() bool {
	if !r.bodyReadable() {
		return false
	}
	if !r.hasBody() {
		return true
	}
	if !r.isJSON() {
		if r.typeState == unreadable {
			return false
		}
		return r.doubtBody(doubtMediaType)
	}

	err := r.json.Parse(r.q.Body, body.JSONOptions{MaxValues: maxJSONValues, Charset: r.contentType.Charset})
	if err != nil {
		return r.doubtError(err)
	}
	for key := range r.json.Root().Members() {
		if isOverride(key) {
			r.doubt = doubt{why: doubtOverride, name: key}
			return false
		}
	}
	return true
}

// calls are the members of a batch, or the one body. An empty list is one call that has nothing.
func (r *request) calls(batch bool) []body.Value {
	root := r.json.Root()
	var all []body.Value
	if batch {
		for call := range root.Items() {
			all = append(all, call)
		}
	}
	if len(all) == 0 {
		all = []body.Value{root}
	}
	return all
}

// jsonAt follows a dotted pointer. An object or a list where one value is meant is doubtful, and so is a key that differs
// in case alone from one of the pointer; null is absent.
func jsonAt(v body.Value, pointer string) value {
	v, clear := valueAtPointer(v, pointer)
	if !clear {
		return value{state: doubtful}
	}
	return scalarAt(v)
}

// valueAtPointer is the value at a dotted pointer. It is not clear if applications may take another value for it.
func valueAtPointer(v body.Value, pointer string) (found body.Value, clear bool) {
	for key := range strings.SplitSeq(pointer, ".") {
		v, clear = stepInto(v, key)
		if !clear {
			return body.Value{}, false
		}
	}
	return v, true
}

// stepInto is the member of an object or the item of a list. It is not clear if applications may take another member for
// it.
func stepInto(v body.Value, key string) (child body.Value, clear bool) {
	if v.Kind() != body.JSONArray {
		return v.Lookup(key)
	}
	i, err := strconv.Atoi(key)
	if err != nil || i < 0 {
		return body.Value{}, true
	}
	return v.Index(i), true
}

// scalarAt is a text, a number or a boolean as a condition reads it.
func scalarAt(v body.Value) value {
	switch v.Kind() {
	case body.JSONAbsent, body.JSONNull:
		return value{}
	case body.JSONObject, body.JSONArray:
		return value{state: doubtful}
	}

	content := v.Text()
	if !text.IsClear(content) {
		return value{state: doubtful}
	}
	return value{text: content, state: present, inexact: !v.IsExact()}
}

// fits reports whether the object at the path has no other keys than the allowed ones. What is absent has no keys; a
// list or a plain value does not fit.
func (k *keysTest) fits(v body.Value) bool {
	for _, key := range k.path {
		if !isNothing(v) && v.Kind() != body.JSONObject && v.Kind() != body.JSONArray {
			return false
		}
		var clear bool
		v, clear = stepInto(v, key)
		if !clear {
			return false
		}
	}
	if isNothing(v) {
		return true
	}
	if v.Kind() != body.JSONObject {
		return false
	}

	for key := range v.Members() {
		if !k.allows(key) {
			return false
		}
	}
	return true
}

// isNothing reports whether a value is absent or null.
func isNothing(v body.Value) bool { return v.Kind() <= body.JSONNull }

func (k *keysTest) allows(key string) bool {
	var none bindings
	for i := range k.allowed {
		if k.allowed[i].match(key, &none) {
			return true
		}
	}
	return false
}
