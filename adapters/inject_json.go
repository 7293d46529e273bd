package adapters

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// errNoPlace reports a body that does not have exactly one place for a member of the session,
// whichever way an application reads it.
var errNoPlace = errors.New("sessions of this application are sent in the JSON body, and this body does not have exactly one place for it")

// putJSON returns a body with the session's members in it, in every call of a batch. Everything else
// keeps its bytes. It returns body itself if the session has no members or the body is not JSON.
//
// StripJSON must have accepted the body. For a body that it would refuse putJSON returns nil: a
// request without a body is better than one without the session.
func putJSON(body []byte, s *Session) []byte {
	if len(s.members) == 0 || !mayBeJSON(&Query{Body: body}) {
		return body
	}

	for _, m := range s.members {
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil
		}
		body, err = putInCalls(body, m.Name, value, func(json.RawMessage) {})
		if err != nil {
			return nil
		}
	}
	return body
}

// putInCalls sets a member in the one call of a body, or in every call of a batch. It calls noteOld
// with each value that it replaces.
func putInCalls(body []byte, pointer string, value []byte, noteOld func(json.RawMessage)) ([]byte, error) {
	path := strings.Split(pointer, ".")
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return putMember(body, path, value, noteOld)
	}

	var calls []json.RawMessage
	if json.Unmarshal(body, &calls) != nil || len(calls) == 0 {
		return nil, errNoPlace
	}
	for i := range calls {
		var err error
		calls[i], err = putMember(calls[i], path, value, noteOld)
		if err != nil {
			return nil, err
		}
	}
	return encodeList(calls), nil
}

// putMember returns raw with the value at a path. All of the path but its last step must be there.
func putMember(raw []byte, path []string, value []byte, noteOld func(json.RawMessage)) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return nil, errNoPlace
	}

	switch open {
	case json.Delim('{'):
		return putInObject(dec, path, value, noteOld)
	case json.Delim('['):
		return putInList(raw, path, value, noteOld)
	}
	return nil, errNoPlace
}

// putInObject is putMember for an object, whose opening brace dec has read. It fails if a name comes
// twice, or in another case: applications disagree about which one counts.
func putInObject(dec *json.Decoder, path []string, value []byte, noteOld func(json.RawMessage)) ([]byte, error) {
	out := []byte{'{'}
	found := false
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errNoPlace
		}
		name, isText := token.(string)
		var member json.RawMessage
		if !isText || dec.Decode(&member) != nil {
			return nil, errNoPlace
		}

		if name == path[0] {
			if found {
				return nil, errNoPlace
			}
			found = true
			member, err = putAt(member, path, value, noteOld)
			if err != nil {
				return nil, err
			}
		} else if strings.EqualFold(name, path[0]) {
			return nil, errNoPlace
		}
		out = appendMember(out, name, member)
	}

	if !found {
		if len(path) > 1 {
			return nil, errNoPlace
		}
		out = appendMember(out, path[0], value)
	}
	return append(out, '}'), nil
}

// putInList is putMember for an array, in which the first step of the path is an index.
func putInList(raw []byte, path []string, value []byte, noteOld func(json.RawMessage)) ([]byte, error) {
	var list []json.RawMessage
	i, err := strconv.Atoi(path[0])
	if err != nil || json.Unmarshal(raw, &list) != nil || i < 0 || i >= len(list) {
		return nil, errNoPlace
	}

	list[i], err = putAt(list[i], path, value, noteOld)
	if err != nil {
		return nil, err
	}
	return encodeList(list), nil
}

// putAt returns what replaces old, which is at the first step of the path.
func putAt(old json.RawMessage, path []string, value []byte, noteOld func(json.RawMessage)) ([]byte, error) {
	if len(path) > 1 {
		return putMember(old, path[1:], value, noteOld)
	}
	noteOld(old)
	return value, nil
}

// appendMember appends a member to an object that is still open.
func appendMember(out []byte, name string, value []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	key, _ := json.Marshal(name) // never fails for a string
	out = append(out, key...)
	out = append(out, ':')
	return append(out, value...)
}

// encodeList returns a JSON array of the items.
func encodeList(items []json.RawMessage) []byte {
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}
