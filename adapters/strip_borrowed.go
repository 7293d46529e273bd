package adapters

import "github.com/byline-proxy/byline/adapters/internal/credential"

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

	isSomeSession bool // it is judged by a name alone that says session

	owner string // raw value of the cookie in the same field that names a person; "" if there is none
}

// AccountSecret holds the fields of an account's secret: username, password, totp_seed, token and
// others.
type AccountSecret interface {
	// Reveal returns a field by its name, and false if there is none.
	Reveal(name string) (string, bool)
}

// nameForRecord returns a name as a record and a refusal may show it: not if the name itself is a token or a key.
func nameForRecord(name string) string {
	if v := credential.Value(name); v.Kind == credential.Token || v.Kind == credential.Key || v.Kind == credential.Scheme {
		return "(a token)"
	}
	return name
}
