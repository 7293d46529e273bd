package identity

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"io"
)

const redacted = "REDACTED"

// Token is what an agent shows to act in its task. It prints as REDACTED in
// every way but [Token.Reveal]. The zero value opens nothing.
type Token struct{ text string }

// newToken has 256 random bits. The prefix lets secret scanners recognise one
// that was left lying about.
func newToken() Token {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24: it ends the process instead
	return Token{"blt_" + base64.RawURLEncoding.EncodeToString(b[:])}
}

// newID has 130 random bits; ids are not secret, but they are not guessable.
func newID() string {
	var b [17]byte
	_, _ = rand.Read(b[:])
	return "t_" + base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(b[:])[:26]
}

// Reveal is the token itself, to be shown once to whoever asked for the task.
func (t Token) Reveal() string { return t.text }

// String is REDACTED.
func (Token) String() string { return redacted }

// GoString is REDACTED.
func (Token) GoString() string { return redacted }

// Format prints REDACTED for every verb.
func (Token) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText is REDACTED, and with it JSON, YAML and zerolog.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
