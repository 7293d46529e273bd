package vault

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/internal/durable"
	"github.com/byline-proxy/byline/proxy/internal/names"
)

const (
	fileHeader   = "byline vault 1\n"
	filePurpose  = "vault file" // of the key that seals the file
	maxFileBytes = 16 << 20
	maxNameBytes = 200

	// revisionField is stored among the fields of a secret, and is not part of the secret.
	revisionField = ""
)

func init() {
	registerStore(storeKind{key: "file", order: 10, open: func(c *Config, key Key) (Store, error) {
		if c.File == "" {
			return nil, nil
		}
		return OpenFile(c.File, key)
	}})
}

// File is a [Store] of secrets in one encrypted file. It is also a [Lister] and
// an [Inventory].
//
// All of its methods may be called concurrently, also by several processes on
// one machine: a writer holds a lock on path + ".lock" and replaces the file
// whole, and a reader reads a replaced file at its next call.
//
// Encryption does not tell an old copy of the file from the newest: whoever can
// replace the file can bring back old secrets.
type File struct {
	path string
	key  Key

	mu      sync.Mutex  // held while the file is read
	info    fs.FileInfo // of the file that secrets was read from; nil: none yet
	secrets secretsByAdapter
}

// secretsByAdapter maps adapter, account and field to the value.
type secretsByAdapter map[string]map[string]map[string]string

// OpenFile reads the vault at path, so that a wrong key is found at once. A
// vault that does not exist is empty; the first Put creates it. A file that
// other users can access is refused.
func OpenFile(path string, key Key) (*File, error) {
	if key.isZero() {
		return nil, errNoKey
	}
	f := &File{path: path, key: key}
	if _, err := f.read(false); err != nil {
		return nil, err
	}
	return f, nil
}

// Secret returns the secret that was put last for the account, by any process.
func (f *File) Secret(_ context.Context, adapter, account string) (Secret, error) {
	secrets, err := f.read(false)
	if err != nil {
		return Secret{}, err
	}
	fields, ok := secrets[adapter][account]
	if !ok {
		return Secret{}, ErrNotFound
	}

	fields = maps.Clone(fields)
	revision := fields[revisionField]
	delete(fields, revisionField)
	secret := NewSecret(fields)
	secret.revision = revision
	return secret, nil
}

// Accounts returns the accounts of an adapter, sorted.
func (f *File) Accounts(_ context.Context, adapter string) ([]string, error) {
	secrets, err := f.read(false)
	return slices.Sorted(maps.Keys(secrets[adapter])), err
}

// Entries implements [Inventory]. It returns the entries of every adapter.
func (f *File) Entries(context.Context, []string) ([]Entry, error) {
	secrets, err := f.read(false)
	if err != nil {
		return nil, err
	}

	var entries []Entry
	for adapter, accounts := range secrets {
		for account, fields := range accounts {
			names := slices.Sorted(maps.Keys(fields))
			names = slices.DeleteFunc(names, func(name string) bool { return name == revisionField })
			entries = append(entries, Entry{adapter, account, names, "file"})
		}
	}
	slices.SortFunc(entries, compareEntries)
	return entries, nil
}

// Put stores the secret of an account in the place of the one before. When it
// returns nil the secret is durable; on error nothing has changed.
func (f *File) Put(adapter, account string, secret Secret) error {
	if err := checkNames(adapter, account); err != nil {
		return err
	}
	if len(secret.Fields()) == 0 {
		return fmt.Errorf("vault: the secret of %s/%s has no fields", adapter, account)
	}
	for name, value := range secret.fields() {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			// JSON would replace the bytes silently.
			return fmt.Errorf("vault: a field of %s/%s is not UTF-8", adapter, account)
		}
		if name == revisionField {
			return fmt.Errorf("vault: a field of %s/%s has no name", adapter, account)
		}
	}

	return f.edit(func(secrets secretsByAdapter) error {
		if secrets[adapter] == nil {
			secrets[adapter] = map[string]map[string]string{}
		}
		fields := maps.Clone(secret.fields())
		fields[revisionField] = rand.Text()
		secrets[adapter][account] = fields
		return nil
	})
}

// Remove removes the secret of an account, or fails with ErrNotFound. The
// removal is durable when it returns nil.
func (f *File) Remove(adapter, account string) error {
	return f.edit(func(secrets secretsByAdapter) error {
		if _, ok := secrets[adapter][account]; !ok {
			return ErrNotFound
		}
		delete(secrets[adapter], account)
		return nil
	})
}

func checkNames(adapter, account string) error {
	for _, name := range []string{adapter, account} {
		if name == "" || len(name) > maxNameBytes {
			return errors.New("vault: an adapter's or account's name is empty or too long")
		}
		if why := names.Unreadable(name); why != "" {
			return fmt.Errorf("vault: the name of an adapter or an account %s: %+q", why, name)
		}
	}
	if strings.Contains(adapter, "/") {
		return fmt.Errorf("vault: an adapter's name has no slash: %q", adapter)
	}
	return nil
}

// read returns what the file holds now, which the caller must not change. It
// reads the file again if its inode, size or time changed, or if forced.
func (f *File) read(forced bool) (secretsByAdapter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if f.info != nil {
			return nil, fmt.Errorf("vault: %s is gone: restore it from a copy", f.path)
		}
		return secretsByAdapter{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if err := durable.RequirePrivate(f.path); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if !forced && isSameFile(f.info, info) {
		return f.secrets, nil
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("vault: %s is larger than %d bytes: not a vault", f.path, maxFileBytes)
	}

	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	secrets, err := decodeFile(f.key, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; restore the vault and its key from the same copy", f.path, err)
	}
	f.info, f.secrets = info, secrets
	return secrets, nil
}

func isSameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// edit reads, changes and replaces the file under the lock of all processes.
func (f *File) edit(change func(secretsByAdapter) error) error {
	lock, err := durable.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	defer lock.Close() // which unlocks
	if err := lockFile(lock); err != nil {
		return fmt.Errorf("vault: lock %s: %w", lock.Name(), err)
	}

	current, err := f.read(true)
	if err != nil {
		return err
	}
	secrets := secretsByAdapter{}
	for adapter, accounts := range current {
		secrets[adapter] = maps.Clone(accounts)
	}
	if err := change(secrets); err != nil {
		return err
	}

	text, err := encodeFile(f.key, secrets)
	if err != nil {
		return err
	}
	if err := durable.Replace(f.path, text, 0o600, durable.Synced); err != nil {
		return fmt.Errorf("vault: write %s: %w", f.path, err)
	}
	return nil
}

// lockFile waits for an exclusive lock. Signals do not interrupt it.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func encodeFile(key Key, secrets secretsByAdapter) ([]byte, error) {
	plain, err := json.Marshal(secrets)
	if err != nil {
		return nil, errors.New("vault: the secrets cannot be encoded")
	}
	sealed, err := key.Seal(filePurpose, plain)
	if err != nil {
		return nil, err
	}
	if len(fileHeader)+len(sealed) > maxFileBytes {
		return nil, fmt.Errorf("vault: would be larger than %d bytes", maxFileBytes)
	}
	return append([]byte(fileHeader), sealed...), nil
}

func decodeFile(key Key, text []byte) (secretsByAdapter, error) {
	sealed, ok := strings.CutPrefix(string(text), fileHeader)
	if !ok {
		return nil, errors.New("vault: not a vault, or of a newer version")
	}
	plain, err := key.Open(filePurpose, []byte(sealed))
	if err != nil {
		return nil, err
	}
	secrets := secretsByAdapter{}
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return nil, errors.New("vault: the content cannot be read") // err could quote a secret
	}
	return secrets, nil
}
