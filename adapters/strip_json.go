package adapters

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// PutsSessionInBody reports whether sessions of the adapter have members in JSON bodies. The caller
// then needs the whole of every body.
func (a *Adapter) PutsSessionInBody() bool { return len(a.spec.Login.JSON) > 0 }

// StripJSON returns the credentials that an agent's body holds in the places of the session's
// members (login.json). It does not change the body: Put replaces them. q.Body must be the whole
// body.
//
// An error means that the session cannot be put into the body without doubt about how the application
// reads it, and the caller must refuse the request. The error holds nothing of the body. Without
// login.json, and for a body that is not JSON, StripJSON returns nothing.
func (a *Adapter) StripJSON(q Query) (removed []Borrowed, err error) {
	if !a.PutsSessionInBody() || !mayBeJSON(&q) {
		return nil, nil
	}
	r := request{q: q}
	if q.Truncated || !r.isJSON() || !r.parseJSON() {
		return nil, errNoPlace
	}

	for _, pointer := range slices.Sorted(maps.Keys(a.spec.Login.JSON)) {
		noteOld := func(old json.RawMessage) {
			var text string
			if json.Unmarshal(old, &text) != nil {
				text = string(old)
			}
			if text != "" && text != "null" {
				removed = append(removed, Borrowed{In: "body", Name: pointer, Value: NewSecret(text), Session: true})
			}
		}
		if _, err := putInCalls(q.Body, pointer, []byte(`""`), noteOld); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

// mayBeJSON reports whether an application may read a body as JSON. It looks at the first byte as
// well as at the type, because some applications ignore the type.
func mayBeJSON(q *Query) bool {
	r := &request{q: *q}
	if q.Truncated {
		media, ok := r.mediaType()
		return !ok || media != "multipart/form-data"
	}
	if r.isJSON() && len(q.Body) > 0 {
		return true
	}

	body := bytes.TrimPrefix(q.Body, []byte("\ufeff"))
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}
