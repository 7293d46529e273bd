package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// errNoRoom is a body that cannot be told to have a place for the session.
var errNoRoom = errors.New("the session of this application travels in the JSON body, and this body has no one place for it")

// putJSON is the body with the session's members in it, in every call of a batch; everything else in it stays as it was
// written, byte for byte. It is body itself when the session has none, or the body is no JSON. Body is one that
// StripJSON took; what it did not take comes back empty, never without the session.
func putJSON(body []byte, s *Session) []byte {
	if len(s.members) == 0 || !looksJSON(&Query{Body: body}) {
		return body
	}
	for _, m := range s.members {
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil
		}
		if body, err = putEverywhere(body, m.Name, value, func(json.RawMessage) {}); err != nil {
			return nil
		}
	}
	return body
}

// putEverywhere puts a member into the one call, or into every call of a batch.
func putEverywhere(body []byte, pointer string, value []byte, had func(json.RawMessage)) ([]byte, error) {
	path := strings.Split(pointer, ".")
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return putMember(body, path, value, had)
	}
	var calls []json.RawMessage
	if json.Unmarshal(body, &calls) != nil || len(calls) == 0 {
		return nil, errNoRoom
	}
	for i := range calls {
		var err error
		if calls[i], err = putMember(calls[i], path, value, had); err != nil {
			return nil, err
		}
	}
	return listOf(calls), nil
}

// putMember sets the value at a path. All but its last step must be there.
func putMember(raw []byte, path []string, value []byte, had func(json.RawMessage)) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return nil, errNoRoom
	}
	switch open {
	case json.Delim('{'):
		return putInObject(dec, path, value, had)
	case json.Delim('['):
		return putInList(raw, path, value, had)
	}
	return nil, errNoRoom
}

func putInObject(dec *json.Decoder, path []string, value []byte, had func(json.RawMessage)) ([]byte, error) {
	out, found := []byte{'{'}, false
	for dec.More() {
		token, err := dec.Token()
		name, isText := token.(string)
		var member json.RawMessage
		if err != nil || !isText || dec.Decode(&member) != nil || name != path[0] && strings.EqualFold(name, path[0]) {
			return nil, errNoRoom
		}
		if name == path[0] {
			if found {
				return nil, errNoRoom
			}
			found = true
			if member, err = putAt(member, path, value, had); err != nil {
				return nil, err
			}
		}
		out = appendMember(out, name, member)
	}
	if !found && len(path) > 1 {
		return nil, errNoRoom
	}
	if !found {
		out = appendMember(out, path[0], value)
	}
	return append(out, '}'), nil
}

func putInList(raw []byte, path []string, value []byte, had func(json.RawMessage)) ([]byte, error) {
	var list []json.RawMessage
	i, err := strconv.Atoi(path[0])
	if err != nil || json.Unmarshal(raw, &list) != nil || i < 0 || i >= len(list) {
		return nil, errNoRoom
	}
	if list[i], err = putAt(list[i], path, value, had); err != nil {
		return nil, err
	}
	return listOf(list), nil
}

// putAt is what stands in the place of old, to which path leads first.
func putAt(old json.RawMessage, path []string, value []byte, had func(json.RawMessage)) ([]byte, error) {
	if len(path) == 1 {
		had(old)
		return value, nil
	}
	return putMember(old, path[1:], value, had)
}

func appendMember(out []byte, name string, value []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	key, _ := json.Marshal(name) // a text can always be written
	return append(append(append(out, key...), ':'), value...)
}

func listOf(members []json.RawMessage) []byte {
	return append(append([]byte{'['}, bytes.Join(rawBytes(members), []byte{','})...), ']')
}

func rawBytes(in []json.RawMessage) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = in[i]
	}
	return out
}
