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
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	keyBytes  = 32
	saltBytes = 32
	keyPrefix = "blk_" // so that scanners for leaked secrets find it
)

// ErrSealed is returned for what does not open: another key, another purpose,
// or bytes that were changed. Nothing in it can be trusted.
var ErrSealed = errors.New("wrong key, or the bytes were changed")

var errNoKey = errors.New("vault: no key")

// Key is the master key of a vault. It prints as REDACTED in every way. The
// zero value seals and opens nothing. It may be used concurrently.
type Key struct{ hidden func() []byte } // see Secret

func newKey(b []byte) Key { return Key{func() []byte { return b }} }

// GenerateKey makes a key from the system's random source.
func GenerateKey() Key {
	b := make([]byte, keyBytes)
	rand.Read(b)
	return newKey(b)
}

// ParseKey reads a key as [WriteKey] wrote it. White space around it is
// allowed. No error repeats the text.
func ParseKey(text string) (Key, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(b) != keyBytes {
		return Key{}, errors.New("vault: not a vault key: it is one line that begins with " + keyPrefix)
	}
	return newKey(b), nil
}

// WriteKey writes k to a new file that its owner alone can read, durable when
// it returns. It refuses to overwrite: without its key a vault is lost.
func WriteKey(path string, k Key) error {
	if k.hidden == nil {
		return errNoKey
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	_, err = f.WriteString(keyPrefix + base64.RawURLEncoding.EncodeToString(k.hidden()) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("vault: write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// Config says where secrets and their key lie. At most one key is named.
type Config struct {
	// File is the vault.
	File string `yaml:"file"`
	// KeyFile holds the key. Others than its owner must not be able to read it.
	KeyFile string `yaml:"key_file"`
	// KeyEnv names an environment variable that holds the key. Every process
	// of the same account on the machine can read it.
	KeyEnv string `yaml:"key_env"`
	// KeyCredential names a systemd credential that holds the key
	// (LoadCredential= or LoadCredentialEncrypted= in the unit).
	KeyCredential string `yaml:"key_credential"`
	// Env also takes secrets from BYLINE_SECRET_… variables. Default false.
	Env bool `yaml:"env"`
}

// SetDefaults fills nothing: a secret is read only where it was said to be.
func (c *Config) SetDefaults() {}

// Check lists what is wrong.
func (c *Config) Check() (problems []error) {
	named := 0
	for _, s := range []string{c.KeyFile, c.KeyEnv, c.KeyCredential} {
		if s != "" {
			named++
		}
	}
	if named > 1 {
		problems = append(problems, errors.New("key_file: name one of key_file, key_env and key_credential, not more"))
	}
	if n := c.KeyCredential; n != "" && (strings.ContainsAny(n, "/\x00") || n == "." || n == "..") {
		problems = append(problems, errors.New("key_credential: must be a credential's name, not a path"))
	}
	return problems
}

// LoadKey reads the key from the one place that is named.
func LoadKey(c Config) (Key, error) {
	if problems := c.Check(); len(problems) > 0 {
		return Key{}, fmt.Errorf("vault: %w", errors.Join(problems...))
	}
	switch {
	case c.KeyFile != "":
		if err := ownerOnly(c.KeyFile); err != nil {
			return Key{}, err
		}
		return readKey(c.KeyFile)
	case c.KeyEnv != "":
		text, ok := os.LookupEnv(c.KeyEnv)
		if !ok {
			return Key{}, fmt.Errorf("vault: key_env: the variable %s is not set", c.KeyEnv)
		}
		k, err := ParseKey(text)
		if err != nil {
			return Key{}, fmt.Errorf("%s: %w", c.KeyEnv, err)
		}
		return k, nil
	case c.KeyCredential != "":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return Key{}, fmt.Errorf("vault: key_credential: CREDENTIALS_DIRECTORY is not set: add LoadCredential=%s:PATH to the unit", c.KeyCredential)
		}
		// systemd guards the folder itself and may add a group for its reader.
		return readKey(filepath.Join(dir, c.KeyCredential))
	}
	return Key{}, errors.New("vault: no key is named: set key_file, key_env or key_credential")
}

func readKey(path string) (Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("vault: %w", err)
	}
	k, err := ParseKey(string(text))
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// ownerOnly refuses a file that its group or others can touch. One that is
// not there is left to the caller.
func ownerOnly(path string) error {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("vault: %s is open to others (mode %04o): chmod 600 %s", path, st.Mode().Perm(), path)
	}
	return nil
}

// Derive is a 32-byte key for one purpose; keys of different purposes tell
// nothing about each other or about the master key. Nil for the zero Key.
func (k Key) Derive(purpose string) []byte { return k.derive(nil, "byline derive v1 "+purpose) }

func (k Key) derive(salt []byte, label string) []byte {
	if k.hidden == nil {
		return nil
	}
	b, err := hkdf.Key(sha256.New, k.hidden(), salt, label, keyBytes)
	if err != nil {
		panic("vault: hkdf refuses a fixed length: " + err.Error())
	}
	return b
}

// Seal encrypts plain so that only [Key.Open] with the same purpose reads it.
// The same plain text seals differently every time.
func (k Key) Seal(purpose string, plain []byte) ([]byte, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	aead, err := k.aead(salt, purpose)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return aead.Seal(append(salt, nonce...), nonce, plain, []byte(purpose)), nil
}

// Open is the reverse of Seal. Its error is ErrSealed for every sealed text
// that was not made by this key for this purpose.
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
