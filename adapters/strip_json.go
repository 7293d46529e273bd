package adapters

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// PutsSessionInBody reports whether the session travels in JSON bodies: the caller then needs the whole of every body.
func (a *Adapter) PutsSessionInBody() bool { return len(a.spec.Login.JSON) > 0 }

// StripJSON looks for what an agent's body holds where the session goes (login.json); PutJSON replaces it. The error,
// which holds nothing of the body, says that a session could not be put into it without doubt: the caller refuses the
// request. q.Body is the whole body. Without login.json, and for a body that is no JSON, there is nothing to do.
func (a *Adapter) StripJSON(q Query) (left []Borrowed, err error) {
	if !a.PutsSessionInBody() || !looksJSON(&q) {
		return nil, nil
	}
	r := request{q: q}
	if q.Truncated || !r.isJSON() || !r.parseJSON() {
		return nil, errNoRoom
	}
	for _, pointer := range slices.Sorted(maps.Keys(a.spec.Login.JSON)) {
		had := func(raw json.RawMessage) {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			if text != "" && text != "null" {
				left = append(left, Borrowed{In: "body", Name: pointer, Value: NewSecret(text), Session: true})
			}
		}
		if _, err := putEverywhere(q.Body, pointer, []byte(`""`), had); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// looksJSON goes by the first byte and not by the type alone: an application may not look at the type.
func looksJSON(q *Query) bool {
	if r := (&request{q: *q}); q.Truncated {
		media, ok := r.mediaType()
		return !ok || media != "multipart/form-data"
	} else if r.isJSON() && len(q.Body) > 0 {
		return true
	}
	body := bytes.TrimLeft(bytes.TrimPrefix(q.Body, []byte("\ufeff")), " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}
