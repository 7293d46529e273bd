// Package redact holds values that must not be printed.
package redact

import (
	"fmt"
	"io"
	"log/slog"
)

// Text is what a [Value] prints as, in every format and under every verb.
const Text = "REDACTED"

// Value holds a secret and prints as REDACTED: with package fmt under every
// verb, in JSON and YAML, and in the logs of zerolog and log/slog. Embed it
// under an unexported name to make a type that prints so:
//
//	type hidden = redact.Value[string]
//	type Token struct{ hidden }
//
// The zero Value holds the zero T. A Value may be copied and used concurrently
// if T may.
//
// The secret is inside a function because package fmt calls no methods on
// unexported fields of other structs: it would print the bytes of a string or
// follow a pointer there, but of a function it prints the address.
type Value[T any] struct{ reveal func() T }

// New returns a Value that holds v.
func New[T any](v T) Value[T] {
	return Value[T]{func() T { return v }}
}

// Reveal returns the secret, which prints like any other T. It is a function
// because a method would be promoted to every type that embeds a Value.
func Reveal[T any](v Value[T]) (secret T) {
	if v.reveal != nil {
		secret = v.reveal()
	}
	return secret
}

// IsSet reports whether v was made by New.
func IsSet[T any](v Value[T]) bool { return v.reveal != nil }

// Format implements [fmt.Formatter].
func (Value[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Text) }

// String implements [fmt.Stringer], for callers that do not use package fmt.
func (Value[T]) String() string { return Text }

// GoString implements [fmt.GoStringer].
func (Value[T]) GoString() string { return Text }

// MarshalText implements [encoding.TextMarshaler], for JSON, YAML, XML, and
// zerolog.
func (Value[T]) MarshalText() ([]byte, error) { return []byte(Text), nil }

// LogValue implements [slog.LogValuer].
func (Value[T]) LogValue() slog.Value { return slog.StringValue(Text) }
