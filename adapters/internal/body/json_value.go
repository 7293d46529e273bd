package body

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// Value is a value of a parsed JSON. The zero Value is absent.
type Value struct {
	doc *JSON
	at  uint32
}

// Root returns the value that was parsed; after an error it is absent.
func (d *JSON) Root() Value {
	if len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d, 0}
}

func (v Value) node() *jsonNode { return &v.doc.nodes[v.at] }

// Kind returns the type of the value.
func (v Value) Kind() JSONKind {
	if v.doc == nil {
		return JSONAbsent
	}
	return v.node().kind
}

// Raw returns the canonical text of the value, and Span where it is in
// JSON.Bytes.
func (v Value) Raw() []byte {
	start, end := v.Span()
	if v.doc == nil {
		return nil
	}
	return v.doc.text[start:end]
}

// Span returns the offsets of Raw in JSON.Bytes.
func (v Value) Span() (start, end int) {
	if v.doc == nil {
		return 0, 0
	}
	return int(v.node().start), int(v.node().end)
}

// Text returns a string decoded, and a number, true, false or null as it is written.
// For an object, a list and an absent value it is empty.
func (v Value) Text() string {
	switch v.Kind() {
	case JSONAbsent, JSONObject, JSONArray:
		return ""
	case JSONString:
		raw := v.Raw()
		raw = raw[1 : len(raw)-1]
		if !v.node().escaped {
			return string(raw)
		}
		return unescapeJSON(raw)
	}
	return string(v.Raw())
}

// IsExact reports whether all readers take the value for what Text says. They do not
// of objects and lists, and of numbers other than integers of up to 15 digits: 1.8e1 and
// 18.0 are 18, and many readers round integers beyond 2^53. A number that decides what
// a request does has to be exact.
func (v Value) IsExact() bool {
	switch v.Kind() {
	case JSONNull, JSONBool, JSONString:
		return true
	case JSONNumber:
		digits := bytes.TrimPrefix(v.Raw(), []byte("-"))
		for _, c := range digits {
			if c < '0' || c > '9' {
				return false
			}
		}
		return len(digits) <= 15 && string(v.Raw()) != "-0"
	}
	return false
}

// unescapeJSON decodes what lies between the quotes of a canonical string.
func unescapeJSON(raw []byte) string {
	text := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		if raw[0] != '\\' {
			text, raw = append(text, raw[0]), raw[1:]
			continue
		}
		c, size, err := decodeJSONCharacter(raw)
		if err != nil {
			return "" // cannot be: the text is canonical
		}
		text, raw = utf8.AppendRune(text, c), raw[size:]
	}
	return string(text)
}

// Get returns the member of an object under a key; absent if v is not an object or has
// no such key.
func (v Value) Get(key string) Value {
	for name, member := range v.members() {
		if name.is(key) {
			return member
		}
	}
	return Value{}
}

// Lookup is Get for a key that decides. It is not clear if another key of the object
// differs from it only in case, because some readers take that one, or is __proto__,
// from which some programs in JavaScript inherit what an object has not.
func (v Value) Lookup(key string) (member Value, clear bool) {
	clear = true
	for name, candidate := range v.members() {
		switch {
		case name.is(key):
			member = candidate
		case name.folds(key) || name.is("__proto__"):
			clear = false
		}
	}
	return member, clear
}

// folds reports whether a string value equals text under Unicode simple case folding.
func (v Value) folds(text string) bool {
	if len(text) == 0 {
		return false
	}
	if raw := v.Raw(); !v.node().escaped && raw[1]|0x20 != text[0]|0x20 && text[0] < utf8.RuneSelf {
		return false // canonical text without an escape is ASCII
	}
	return strings.EqualFold(v.Text(), text)
}

// is compares a string value without decoding it into memory if it needs none.
func (v Value) is(text string) bool {
	if v.node().escaped {
		return v.Text() == text
	}
	raw := v.Raw()
	return string(raw[1:len(raw)-1]) == text
}

func (v Value) members() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind() != JSONObject {
			return
		}
		nodes := v.doc.nodes
		for key := v.at + 1; key < v.node().next; key = nodes[key+1].next {
			if !yield(Value{v.doc, key}, Value{v.doc, key + 1}) {
				return
			}
		}
	}
}

// Members iterates over the members of an object, in order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for name, member := range v.members() {
			if !yield(name.Text(), member) {
				return
			}
		}
	}
}

// Items iterates over the elements of a list, in order.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != JSONArray {
			return
		}
		nodes := v.doc.nodes
		for item := v.at + 1; item < v.node().next; item = nodes[item].next {
			if !yield(Value{v.doc, item}) {
				return
			}
		}
	}
}

// Index returns an element of a list, in linear time; absent if there is none.
func (v Value) Index(i int) Value {
	for item := range v.Items() {
		if i == 0 {
			return item
		}
		i--
	}
	return Value{}
}
