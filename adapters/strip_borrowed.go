package adapters

// Secret is a value that no fmt verb, JSON encoder or logger can print. The zero value holds the empty string.
type Secret struct {
	redacted
	value *string
}

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal is the value itself: for the fingerprint, never for a log.
func (h Secret) Reveal() string {
	if h.value == nil {
		return ""
	}
	return *h.value
}

// Borrowed is a credential that the agent carried and that stays behind.
type Borrowed struct {
	In, Name string // In: header, cookie, query or body
	Value    Secret
	// Session says that the adapter knows it for a credential, by its name or by
	// its value. Everything else that is not known to be harmless stays behind too.
	Session bool

	owner string // raw value of the cookie that names the person, when one came along
}

// AccountSecret gives the fields of an account's secret: username, password, totp_seed, token and others by name.
type AccountSecret interface {
	Reveal(name string) (string, bool)
}
