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

// signingKeyHeader begins a file with a signing key. The seed in base64 and a
// newline follow.
const signingKeyHeader = "byline-audit-key ed25519 "

// NewKey returns a new signing key.
func NewKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("new audit key: %w", err)
	}

	return key, nil
}

// WriteKey writes the signing key to the new file path with mode 0600, and the
// public key, named origin, to the new file path + ".pub" in the verifier key
// format of C2SP signed-note. See [audit.Origin] for the name. Both files are
// durable when WriteKey returns nil. It fails if one of them exists.
//
// A crash before it returns may leave the signing key without the public key, or
// a file that is cut short, which [LoadKey] refuses.
func WriteKey(path, origin string, key ed25519.PrivateKey) error {
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return fmt.Errorf("write audit key: %w", err)
	}
	if _, err := note.NewVerifier(vkey); err != nil {
		return fmt.Errorf("write audit key: name %q: %w", origin, err)
	}

	if err := writeSigningKey(path, key); err != nil {
		return fmt.Errorf("write audit key: %w", err)
	}
	if err := durable.Create(path+".pub", []byte(vkey+"\n"), 0o644); err != nil {
		return fmt.Errorf("write audit public key: %w", err)
	}

	return nil
}

// writeSigningKey writes a new file with a signing key and makes it durable.
func writeSigningKey(path string, key ed25519.PrivateKey) error {
	text := signingKeyHeader + base64.StdEncoding.EncodeToString(key.Seed()) + "\n"

	return durable.Create(path, []byte(text), 0o600)
}

// LoadKey reads a signing key. It fails if other users can access the file. No
// error contains a part of the key.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	b, err := durable.ReadPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("load audit key: %w", err)
	}

	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), signingKeyHeader)
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("load audit key: %s is not an audit signing key", path)
	}

	return ed25519.NewKeyFromSeed(seed), nil
}
