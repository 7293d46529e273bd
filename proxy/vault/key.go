package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/proxy/internal/durable"
	"github.com/byline-proxy/byline/proxy/internal/redact"
)

const (
	keyBytes  = 32
	saltBytes = 32
	keyPrefix = "blk_" // lets secret scanners find a leaked key
)

// ErrSealed is the error for bytes that do not open: they were sealed with
// another key or for another purpose, or they were changed.
var ErrSealed = errors.New("wrong key, or the bytes were changed")

var errNoKey = errors.New("vault: no key")

type hiddenBytes = redact.Value[[]byte]

// Key is the master key of a vault. It prints as REDACTED in every format. The
// zero value seals and opens nothing. A Key may be used concurrently.
type Key struct{ hiddenBytes }

func newKey(b []byte) Key { return Key{redact.New(b)} }

func (k Key) isZero() bool { return !redact.IsSet(k.hiddenBytes) }

func (k Key) bytes() []byte { return redact.Reveal(k.hiddenBytes) }

// GenerateKey returns a new random key.
func GenerateKey() Key {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return newKey(b)
}

// ParseKey parses a key as [WriteKey] writes it, with any white space around
// it. No error contains the text.
func ParseKey(text string) (Key, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(b) != keyBytes {
		return Key{}, errors.New("vault: not a vault key: it is one line that begins with " + keyPrefix)
	}
	return newKey(b), nil
}

// WriteKey writes k to a new file that only its owner can read. The file is
// durable when WriteKey returns nil. It never overwrites a file: without its
// key a vault is lost.
func WriteKey(path string, k Key) error {
	if k.isZero() {
		return errNoKey
	}
	text := keyPrefix + base64.RawURLEncoding.EncodeToString(k.bytes()) + "\n"
	if err := durable.Create(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("vault: write key: %w", err)
	}
	return nil
}

// LoadKey reads the key from the one place that c names. A key file that other
// users can access is refused.
func LoadKey(c Config) (Key, error) {
	if problems := c.Check(); len(problems) > 0 {
		return Key{}, fmt.Errorf("vault: %w", errors.Join(problems...))
	}

	switch {
	case c.KeyFile != "":
		text, err := durable.ReadPrivate(c.KeyFile)
		return parseKeyOf(c.KeyFile, text, err)

	case c.KeyEnv != "":
		text, ok := os.LookupEnv(c.KeyEnv)
		if !ok {
			return Key{}, fmt.Errorf("vault: key_env: the variable %s is not set", c.KeyEnv)
		}
		return parseKeyOf(c.KeyEnv, []byte(text), nil)

	case c.KeyCredential != "":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return Key{}, fmt.Errorf("vault: key_credential: CREDENTIALS_DIRECTORY is not set: add LoadCredential=%s:PATH to the unit", c.KeyCredential)
		}
		// The mode is not checked: systemd protects the folder and may give a
		// group access to the file.
		path := filepath.Join(dir, c.KeyCredential)
		text, err := os.ReadFile(path)
		return parseKeyOf(path, text, err)
	}
	return Key{}, errors.New("vault: no key is named: set key_file, key_env or key_credential")
}

// parseKeyOf parses text that was read from a source, with the error of reading.
func parseKeyOf(source string, text []byte, err error) (Key, error) {
	if err != nil {
		return Key{}, fmt.Errorf("vault: %w", err)
	}
	k, err := ParseKey(string(text))
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", source, err)
	}
	return k, nil
}

// Derive returns a 32-byte key for one purpose (HKDF-SHA-256, RFC 5869). Keys
// of different purposes reveal nothing about each other or the master key.
// Derive returns nil for the zero Key.
func (k Key) Derive(purpose string) []byte {
	return k.derive(nil, "byline derive v1 "+purpose)
}

func (k Key) derive(salt []byte, label string) []byte {
	if k.isZero() {
		return nil
	}
	b, err := hkdf.Key(sha256.New, k.bytes(), salt, label, keyBytes)
	if err != nil {
		panic("vault: hkdf refuses a fixed length: " + err.Error())
	}
	return b
}

// Seal encrypts plain with AES-256-GCM so that only [Key.Open] with the same
// purpose reads it. Every call returns different bytes: salt, nonce and cipher
// text.
func (k Key) Seal(purpose string, plain []byte) ([]byte, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	aead, err := k.aead(salt, purpose)
	if err != nil {
		return nil, err
	}

	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	return aead.Seal(append(salt, nonce...), nonce, plain, []byte(purpose)), nil
}

// Open reverses Seal. Its error wraps [ErrSealed] if sealed was not made by this
// key for this purpose.
func (k Key) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < saltBytes {
		return nil, fmt.Errorf("vault: %w", ErrSealed)
	}
	aead, err := k.aead(sealed[:saltBytes], purpose)
	if err != nil {
		return nil, err
	}

	sealed = sealed[saltBytes:]
	if len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("vault: %w", ErrSealed)
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("vault: %w", ErrSealed)
	}
	return plain, nil
}

// aead returns the cipher for one salt and purpose. With a key per salt, random
// nonces are safe for any number of sealed texts.
func (k Key) aead(salt []byte, purpose string) (cipher.AEAD, error) {
	key := k.derive(salt, "byline seal v1 "+purpose)
	if key == nil {
		return nil, errNoKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return cipher.NewGCM(block)
}
