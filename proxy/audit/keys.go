package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// PublicKey is the public key of a log. Name is the log's origin; if it is
// empty, the key is accepted for every origin.
type PublicKey struct {
	Name string
	Key  ed25519.PublicKey
}

// String returns the key as a verifier key of C2SP signed-note,
// NAME+HASH+BASE64.
func (k PublicKey) String() string {
	s, err := note.NewEd25519VerifierKey(k.Name, k.Key)
	if err != nil {
		return "not a key"
	}

	return s
}

// LoadPublicKey reads the first key of a public key file: the key that signed
// the beginning of the log. A verifier follows later keys through the log.
func LoadPublicKey(path string) (PublicKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return PublicKey{}, fmt.Errorf("load audit public key: %w", err)
	}

	keys, err := ParsePublicKeys(string(b))
	if err != nil {
		return PublicKey{}, fmt.Errorf("load audit public key: %s: %w", path, err)
	}

	return keys[0], nil
}

// ParsePublicKeys reads the text of a public key file, one key a line: the key
// that signed the beginning of the log, then those that replaced it, in order.
// It returns at least one key if there is no error.
func ParsePublicKeys(text string) (keys []PublicKey, err error) {
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		k, err := ParsePublicKey(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}

	return keys, nil
}

// algEd25519 is the key type of Ed25519 in C2SP signed-note.
const algEd25519 = 1

// ParsePublicKey reads a verifier key, NAME+HASH+BASE64 (C2SP signed-note), of
// type Ed25519.
func ParsePublicKey(vkey string) (PublicKey, error) {
	vkey = strings.TrimSpace(vkey)
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return PublicKey{}, errors.New("not a note verifier key (NAME+HASH+BASE64)")
	}

	hashDigits := 8
	b, err := base64.StdEncoding.DecodeString(vkey[len(v.Name()+"+")+hashDigits+len("+"):])
	if err != nil || len(b) != 1+ed25519.PublicKeySize || b[0] != algEd25519 {
		return PublicKey{}, errors.New("not an Ed25519 verifier key")
	}

	return PublicKey{v.Name(), ed25519.PublicKey(b[1:])}, nil
}
