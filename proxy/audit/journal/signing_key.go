package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
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
	if err := writeNew(path+".pub", vkey+"\n", 0o644); err != nil {
		return fmt.Errorf("write audit public key: %w", err)
	}
	return osDisk{}.syncDir(filepath.Dir(path))
}

func writeKey(path string, key ed25519.PrivateKey) error {
	return writeNew(path, keyHeader+base64.StdEncoding.EncodeToString(key.Seed())+"\n", 0o600)
}

func writeNew(path, text string, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// LoadKey reads a signing key. A file that others may read is refused.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load audit key: %w", err)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("load audit key: %s may be read by others (mode %#o): chmod 600 it, and consider the key known", path, fi.Mode().Perm())
	}
	b, err := os.ReadFile(path)
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
