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

// PublicKey is a log's or a witness's key. The name is the log's origin; an
// empty one accepts any.
type PublicKey struct {
	Name string
	Key  ed25519.PublicKey
}

// String is the key in the note verifier format.
func (k PublicKey) String() string {
	s, err := note.NewEd25519VerifierKey(k.Name, k.Key)
	if err != nil {
		return "not a key"
	}
	return s
}

// LoadPublicKey reads the first key of a public key file: the one that a log
// begins with.
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

// ParsePublicKeys reads one key a line: the one that a log begins with, then
// those that took over. There is at least one.
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

// ParsePublicKey reads name+hash+base64 (C2SP signed-note, Ed25519 only).
func ParsePublicKey(vkey string) (PublicKey, error) {
	vkey = strings.TrimSpace(vkey)
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return PublicKey{}, errors.New("not a note verifier key (name+hash+base64)")
	}
	b, err := base64.StdEncoding.DecodeString(vkey[strings.LastIndex(vkey[:len(v.Name())+10], "+")+1:])
	if err != nil || len(b) != 1+ed25519.PublicKeySize || b[0] != 1 {
		return PublicKey{}, errors.New("not an Ed25519 verifier key")
	}
	return PublicKey{v.Name(), ed25519.PublicKey(b[1:])}, nil
}
