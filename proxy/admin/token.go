package admin

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/proxy/internal/durable"
	"github.com/byline-proxy/byline/proxy/internal/redact"
)

// minToken is the least length of a token, in bytes. Those that MakeToken writes
// have 47.
const minToken = 32

// Token admits its bearer to the control API over TCP. It prints as REDACTED in every
// format. The zero value admits nobody.
type Token struct{ hiddenText }

type hiddenText = redact.Value[string]

func newToken(text string) Token { return Token{redact.New(text)} }

// Reveal returns the token itself, for an Authorization header. It is empty for the
// zero value.
func (t Token) Reveal() string { return redact.Reveal(t.hiddenText) }

// ReadToken reads a token file. A file that group or others can access is
// refused. The error wraps fs.ErrNotExist if there is no file.
func ReadToken(path string) (Token, error) {
	b, err := durable.ReadPrivate(path)
	if err != nil {
		return Token{}, err
	}
	text := strings.TrimSpace(string(b))
	if len(text) < minToken {
		return Token{}, fmt.Errorf("%s holds no token of %d characters or more; remove it and start the server", path, minToken)
	}
	return newToken(text), nil
}

// MakeToken reads the token file. If there is none it writes one with a new token of
// 256 random bits, mode 0600, and its folder if that is missing, too.
func MakeToken(path string) (Token, error) {
	if t, err := ReadToken(path); !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}

	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Token{}, err
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	text := "bla_" + base64.RawURLEncoding.EncodeToString(b)

	err := durable.Create(path, []byte(text+"\n"), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ReadToken(path) // another process was faster
	}
	if err != nil {
		return Token{}, err
	}
	return newToken(text), nil
}
