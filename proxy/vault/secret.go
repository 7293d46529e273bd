package vault

import (
	"maps"
	"slices"

	"github.com/byline-proxy/byline/proxy/internal/redact"
)

type hiddenFields = redact.Value[map[string]string]

// Secret holds the stored fields of one account, by name. It prints as REDACTED
// in every format. The zero value has no fields. A Secret does not change.
type Secret struct {
	hiddenFields
	revision string
}

// NewSecret returns a Secret with a copy of m.
func NewSecret(m map[string]string) Secret {
	return Secret{hiddenFields: redact.New(maps.Clone(m))}
}

// Revision differs for each time that the secret was put, also if its fields did not
// change. It is empty if the store does not know.
func (s Secret) Revision() string { return s.revision }

func (s Secret) fields() map[string]string { return redact.Reveal(s.hiddenFields) }

// Reveal returns the value of a field and whether there is one. The value
// prints like any string: pass it to what sends it and keep it nowhere else.
func (s Secret) Reveal(name string) (value string, ok bool) {
	value, ok = s.fields()[name]
	return value, ok
}

// Equal reports whether both have the same fields with the same values. It does
// not run in constant time.
func (s Secret) Equal(other Secret) bool {
	return maps.Equal(s.fields(), other.fields())
}

// Fields returns the names of the fields, sorted.
func (s Secret) Fields() []string {
	return slices.Sorted(maps.Keys(s.fields()))
}
