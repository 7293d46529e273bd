package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"

	"github.com/byline-proxy/byline/proxy/internal/redact"
)

const (
	tokenPrefix = "blt_" // lets secret scanners find a leaked token
	tokenBytes  = 32
	idPrefix    = "t_"
	idLetters   = 26
)

type hiddenText = redact.Value[string]

// Token is what an agent shows to act in its task. It prints as REDACTED in
// every format. The zero value names no task.
type Token struct{ hiddenText }

// newToken returns a token of 256 random bits.
func newToken() Token {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return Token{redact.New(tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:]))}
}

// Reveal returns the token itself, to be shown once to whoever created the task.
func (t Token) Reveal() string { return redact.Reveal(t.hiddenText) }

// tokenHash is the SHA-256 of a token: all that Byline keeps of it. It cannot be
// searched, since a token has 256 random bits.
type tokenHash [sha256.Size]byte

func hashToken(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// newID returns the id of a task: 130 random bits. Ids are not secret, but they
// cannot be guessed.
func newID() string {
	var b [17]byte
	_, _ = rand.Read(b[:])
	encoding := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	return idPrefix + encoding.EncodeToString(b[:])[:idLetters]
}
