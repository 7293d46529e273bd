package adapters

import (
	"fmt"
	"io"
)

// redacted makes a struct that embeds it print as REDACTED under every verb of fmt, in JSON, and in
// every other encoding that asks for text.
//
// It does not protect a struct in an unexported field of another struct: fmt prints such a field
// without calling its methods. A type that may be used in one keeps its secrets behind a pointer,
// which fmt prints as an address; see [Session], [Dialogue] and [Secret].
type redacted struct{}

const redactedText = "REDACTED"

// Format implements [fmt.Formatter].
func (redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedText) }

// MarshalText implements [encoding.TextMarshaler].
func (redacted) MarshalText() ([]byte, error) { return []byte(redactedText), nil }
