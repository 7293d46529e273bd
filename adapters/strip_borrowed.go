package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// Secret is a string that no verb of fmt, JSON encoder or logger prints. The zero value holds the
// empty string.
type Secret struct {
	redacted
	value *string
}

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal returns the string. Callers may fingerprint it and must not log it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Borrowed is a credential that the agent sent and that was removed from its request.
type Borrowed struct {
	In    string // header, cookie, query, path, body or trailer
	Name  string // "(malformed)" if it cannot be read
	Value Secret

	// Session says that the adapter knows it for a credential, by its name or by its value.
	// Otherwise it was removed because it is not known to be harmless. See [Adapter.IsSession].
	Session bool

	// Held says that it is a header field that nothing names, and that headers.pass lets through.
	Held bool

	// Decides says that it is a parameter of the query by which the adapter tells actions apart, so that the
	// request without it may be another one.
	Decides bool

	isSomeSession bool // it is judged by a name alone that says session

	owner string // raw value of the cookie in the same field that names a person; "" if there is none
}

// AccountSecret holds the fields of an account's secret: username, password, totp_seed, token and
// others.
type AccountSecret interface {
	// Reveal returns a field by its name, and false if there is none.
	Reveal(name string) (string, bool)

	// Fields returns the names of the fields.
	Fields() []string
}

// nameForRecord returns a name as a record and a refusal may show it: without a token or a key that is the name, or
// that ends it after a separator.
func nameForRecord(name string) string {
	if len(name) < minPathCredential {
		return name
	}
	if isKey(name) {
		return "(a token)"
	}
	if strings.IndexByte(name, '%') >= 0 && credential.Segment(credential.Unescape(name)).IsCredential() {
		return "(a token)"
	}

	tried := 0
	for i := 1; i < len(name) && tried < maxNameWords; i++ {
		if !strings.ContainsRune("-_.[ ", rune(name[i-1])) {
			continue
		}
		tried++
		if isKey(name[i:]) {
			return name[:i] + pathEllipsis
		}
	}
	return name
}

// maxNameWords is how many words of a name nameForRecord looks at.
const maxNameWords = 8

// isKey reports whether a name is a token or a key itself.
func isKey(name string) bool {
	if len(name) < minPathCredential {
		return false
	}
	v := credential.Value(name)
	return v.Kind == credential.Token || v.Kind == credential.Key || v.Kind == credential.Scheme
}

// NameForRecord returns a name that an agent chose, such as that of a method, as a record may show it: without a token
// or a key in it.
func NameForRecord(name string) string { return nameForRecord(name) }
