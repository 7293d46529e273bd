package vault

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/rs/zerolog"
)

const redacted = "REDACTED"

// Secret is one account's stored material, by field name. It prints as
// REDACTED in every way. The zero value has no fields. It does not change.
//
// The fields are inside a function because fmt does not call methods on what
// lies in an unexported field of somebody else's struct: it would follow a
// pointer there under a verb that does not fit, but of a function it prints
// the address.
type Secret struct{ hidden func() map[string]string }

// NewSecret copies m.
func NewSecret(m map[string]string) Secret {
	m = maps.Clone(m)
	return Secret{func() map[string]string { return m }}
}

// Reveal is the value of the field and whether there is one. What it returns
// prints like any string: give it to what sends it and keep it nowhere else.
func (s Secret) Reveal(name string) (string, bool) {
	if s.hidden == nil {
		return "", false
	}
	v, ok := s.hidden()[name]
	return v, ok
}

// Equal reports whether both have the same fields with the same values.
func (s Secret) Equal(other Secret) bool {
	var a, b map[string]string
	if s.hidden != nil {
		a = s.hidden()
	}
	if other.hidden != nil {
		b = other.hidden()
	}
	return maps.Equal(a, b)
}

// Fields are the names of the fields, sorted.
func (s Secret) Fields() []string {
	if s.hidden == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.hidden()))
}

func (Secret) Format(f fmt.State, _ rune)            { io.WriteString(f, redacted) }
func (Secret) String() string                        { return redacted }
func (Secret) GoString() string                      { return redacted }
func (Secret) MarshalText() ([]byte, error)          { return []byte(redacted), nil }
func (Secret) MarshalJSON() ([]byte, error)          { return []byte(`"` + redacted + `"`), nil }
func (Secret) MarshalYAML() (any, error)             { return redacted, nil }
func (Secret) LogValue() slog.Value                  { return slog.StringValue(redacted) }
func (Secret) MarshalZerologObject(e *zerolog.Event) { e.Str("secret", redacted) }
func (Key) Format(f fmt.State, _ rune)               { io.WriteString(f, redacted) }
func (Key) String() string                           { return redacted }
func (Key) GoString() string                         { return redacted }
func (Key) MarshalText() ([]byte, error)             { return []byte(redacted), nil }
func (Key) MarshalJSON() ([]byte, error)             { return []byte(`"` + redacted + `"`), nil }
func (Key) MarshalYAML() (any, error)                { return redacted, nil }
func (Key) LogValue() slog.Value                     { return slog.StringValue(redacted) }
func (Key) MarshalZerologObject(e *zerolog.Event)    { e.Str("key", redacted) }
