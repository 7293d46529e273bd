package credential

// Verdict says whether something is a credential, and why. The zero value says that it is not.
type Verdict struct {
	Kind Kind

	// What is the entry of the lists that decided: a word of a name, a scheme, the prefix of a key. It never holds
	// anything of the value itself.
	What string
}

// Kind is the kind of a credential.
type Kind uint8

// The kinds of credentials.
const (
	None    Kind = iota // not a credential
	Named               // its name is that of a credential
	Session             // its name is that of a cookie of the session
	Scheme              // its value is an HTTP credential (RFC 9110 section 11.4)
	Token               // its value is a token of a known structure: JWT, PASETO
	Key                 // its value begins as the keys of a known issuer do
	Nested              // its value holds another value that is a credential
	Sealed              // its value is sealed as the session cookies of a framework are
)

// IsCredential reports whether the verdict names a kind.
func (v Verdict) IsCredential() bool { return v.Kind != None }

// Reason returns the end of a sentence about what was judged, as in "the parameter key has the name of a credential".
// It holds nothing of the value.
func (v Verdict) Reason() string {
	switch v.Kind {
	case Named:
		return "has the name of a credential (" + v.What + ")"
	case Session:
		return "has the name of a cookie of the session"
	case Scheme:
		return "is an HTTP credential (" + v.What + ")"
	case Token:
		return "is a token (" + v.What + ")"
	case Key:
		return "begins as a key does (" + v.What + ")"
	case Sealed:
		return "is sealed as sessions are (" + v.What + ")"
	case Nested:
		return "holds a credential (" + v.What + ")"
	}
	return "is not a credential"
}
