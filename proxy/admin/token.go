package admin

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minToken is the least length of a token, in bytes. Those that MakeToken writes
// have 47.
const minToken = 32

// Token admits its bearer to the control API over TCP. It prints REDACTED. The zero
// value admits nobody.
type Token struct{ text string }

// Format prints REDACTED under every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// MarshalText keeps the token out of JSON and logs.
func (Token) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// Reveal returns the token itself, for an Authorization header. It is empty for the
// zero value.
func (t Token) Reveal() string { return t.text }

// ReadToken reads a token file. A file that group or others can access is
// refused. The error wraps fs.ErrNotExist if there is no file.
func ReadToken(path string) (Token, error) {
	f, err := os.Open(path)
	if err != nil {
		return Token{}, err
	}
	defer f.Close()

	st, err := f.Stat()
	if err != nil {
		return Token{}, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return Token{}, fmt.Errorf("%s may be read by others (mode %04o); chmod 600 it", path, st.Mode().Perm())
	}

	b, err := io.ReadAll(f)
	if err != nil {
		return Token{}, err
	}
	text := strings.TrimSpace(string(b))
	if len(text) < minToken {
		return Token{}, fmt.Errorf("%s holds no token of %d characters or more; remove it and start the server", path, minToken)
	}
	return Token{text}, nil
}

// MakeToken reads the token file. If there is none it writes one with a new token of
// 256 random bits, mode 0600, and its folder if that is missing, too.
func MakeToken(path string) (Token, error) {
	if t, err := ReadToken(path); !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}

	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Token{}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ReadToken(path) // another process was faster
	}
	if err != nil {
		return Token{}, err
	}

	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	text := "bla_" + base64.RawURLEncoding.EncodeToString(b)
	_, err = f.WriteString(text + "\n")
	return Token{text}, errors.Join(err, f.Sync(), f.Close())
}
