package adapters

import (
	"fmt"
	"io"
)

// redacted makes the struct that embeds it print as REDACTED under every verb of fmt, in JSON and in every other
// encoding that asks for text.
//
// It does not hide a struct in an unexported field of another one: fmt prints that field by field and calls no method.
// A type that may end up there keeps its secrets behind a pointer, which fmt prints as an address; see [Session],
// [Dialogue] and [Secret].
type redacted struct{}

const redactedText = "REDACTED"

// Format implements [fmt.Formatter].
func (redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedText) }

// MarshalText implements [encoding.TextMarshaler].
func (redacted) MarshalText() ([]byte, error) { return []byte(redactedText), nil }
