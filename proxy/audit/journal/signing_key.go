package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

const keyHeader = "byline-audit-key ed25519 "

// NewKey makes a signing key.
func NewKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("new audit key: %w", err)
	}
	return key, nil
}

// WriteKey writes the signing key to path (mode 0600) and the public key, named
// origin, to path + ".pub" in the note verifier format. It never overwrites;
// both files are durable when it returns nil. See [Origin] for the name.
func WriteKey(path, origin string, key ed25519.PrivateKey) error {
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return fmt.Errorf("write audit key: %w", err)
	}
	if _, err := note.NewVerifier(vkey); err != nil {
		return fmt.Errorf("write audit key: name %q: %w", origin, err)
	}
	if err := writeKey(path, key); err != nil {
		return fmt.Errorf("write audit key: %w", err)
	}
	if err := durable.Create(path+".pub", []byte(vkey+"\n"), 0o644); err != nil {
		return fmt.Errorf("write audit public key: %w", err)
	}
	return nil
}

func writeKey(path string, key ed25519.PrivateKey) error {
	text := keyHeader + base64.StdEncoding.EncodeToString(key.Seed()) + "\n"
	return durable.Create(path, []byte(text), 0o600)
}

// LoadKey reads a signing key. A file that other users can access is refused.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	b, err := durable.ReadPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("load audit key: %w", err)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), keyHeader)
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("load audit key: %s is not an audit signing key", path) // its text stays out of the error
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
