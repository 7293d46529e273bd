package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"
)

const (
	header   = "byline vault 1\n"
	purpose  = "vault file"
	maxBytes = 16 << 20
	maxName  = 200
)

// Entry names one stored secret and its fields, without values.
type Entry struct {
	Adapter string   `json:"adapter"`
	Account string   `json:"account"`
	Fields  []string `json:"fields"`
}

// File is an encrypted vault. All of its methods may be called concurrently,
// also by several processes on one machine: a writer holds a lock beside the
// file (its name with .lock) and replaces the file whole, and a reader takes
// up a file that was replaced at its next call.
type File struct {
	path string
	key  Key

	mu   sync.Mutex // guards what follows; held while the file is read again
	seen fs.FileInfo
	held contents
}

// contents is adapter → account → field → value.
type contents map[string]map[string]map[string]string

// OpenFile reads the vault at path, so that a wrong key shows at once. One
// that does not exist is an empty vault; the first Put makes it. A file that
// others can touch is refused.
func OpenFile(path string, key Key) (*File, error) {
	if key.hidden == nil {
		return nil, errNoKey
	}
	f := &File{path: path, key: key}
	if _, err := f.read(false); err != nil {
		return nil, err
	}
	return f, nil
}

// read is what the file holds now; afresh does not trust that a file of the
// same inode, size and time is the same. The caller must not change it.
func (f *File) read(afresh bool) (contents, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	st, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if f.seen != nil {
			return nil, fmt.Errorf("vault: %s is gone: restore it from a copy", f.path)
		}
		return contents{}, nil
	} else if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if err := ownerOnly(f.path); err != nil {
		return nil, err
	}
	if s := f.seen; !afresh && s != nil && os.SameFile(s, st) && s.Size() == st.Size() && s.ModTime().Equal(st.ModTime()) {
		return f.held, nil
	}
	if st.Size() > maxBytes {
		return nil, fmt.Errorf("vault: %s is larger than %d bytes: not a vault", f.path, maxBytes)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	held, err := decode(f.key, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	f.seen, f.held = st, held
	return held, nil
}

func decode(key Key, text []byte) (contents, error) {
	sealed, ok := strings.CutPrefix(string(text), header)
	if !ok {
		return nil, errors.New("vault: not a vault, or of a newer version")
	}
	plain, err := key.Open(purpose, []byte(sealed))
	if err != nil {
		return nil, err
	}
	held := contents{}
	if err := json.Unmarshal(plain, &held); err != nil {
		return nil, errors.New("vault: what is inside cannot be read") // err could quote a secret
	}
	return held, nil
}

func encode(key Key, held contents) ([]byte, error) {
	plain, err := json.Marshal(held)
	if err != nil {
		return nil, errors.New("vault: the secrets cannot be encoded")
	}
	sealed, err := key.Seal(purpose, plain)
	if err != nil {
		return nil, err
	}
	if len(header)+len(sealed) > maxBytes {
		return nil, fmt.Errorf("vault: would be larger than %d bytes", maxBytes)
	}
	return append([]byte(header), sealed...), nil
}

// Secret is what was put last for the account, by whichever process.
func (f *File) Secret(_ context.Context, adapter, account string) (Secret, error) {
	held, err := f.read(false)
	if err != nil {
		return Secret{}, err
	}
	m, ok := held[adapter][account]
	if !ok {
		return Secret{}, ErrNotFound
	}
	return NewSecret(m), nil
}

// Accounts are the adapter's, sorted.
func (f *File) Accounts(_ context.Context, adapter string) ([]string, error) {
	held, err := f.read(false)
	return slices.Sorted(maps.Keys(held[adapter])), err
}

// List names everything that is stored, sorted by adapter and account.
func (f *File) List() ([]Entry, error) {
	held, err := f.read(false)
	out := []Entry{}
	for adapter, accounts := range held {
		for account, m := range accounts {
			out = append(out, Entry{adapter, account, slices.Sorted(maps.Keys(m))})
		}
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
	})
	return out, err
}

// Put stores the secret of an account in place of the one before. It is
// durable on return, or nothing has changed.
func (f *File) Put(adapter, account string, secret Secret) error {
	if err := checkNames(adapter, account); err != nil {
		return err
	}
	if len(secret.Fields()) == 0 {
		return fmt.Errorf("vault: the secret of %s/%s has no fields", adapter, account)
	}
	for _, name := range secret.Fields() {
		if v, _ := secret.Reveal(name); !utf8.ValidString(name) || !utf8.ValidString(v) {
			return fmt.Errorf("vault: a field of %s/%s is not UTF-8", adapter, account) // JSON would change it
		}
	}
	return f.change(func(held contents) error {
		if held[adapter] == nil {
			held[adapter] = map[string]map[string]string{}
		}
		held[adapter][account] = maps.Clone(secret.hidden())
		return nil
	})
}

// Remove forgets an account; ErrNotFound if there is none. Durable on return.
func (f *File) Remove(adapter, account string) error {
	return f.change(func(held contents) error {
		if _, ok := held[adapter][account]; !ok {
			return ErrNotFound
		}
		delete(held[adapter], account)
		return nil
	})
}

func checkNames(names ...string) error {
	for _, n := range names {
		if n == "" || len(n) > maxName || strings.ContainsFunc(n, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
			return errors.New("vault: an adapter's or account's name is empty, too long or has control characters")
		}
	}
	if strings.Contains(names[0], "/") {
		return fmt.Errorf("vault: an adapter's name has no slash: %q", names[0])
	}
	return nil
}

// change reads, edits and replaces the file under the lock of all processes.
func (f *File) change(edit func(contents) error) error {
	lock, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	defer lock.Close() // which unlocks
	if err := flock(lock); err != nil {
		return fmt.Errorf("vault: lock %s: %w", lock.Name(), err)
	}
	now, err := f.read(true)
	if err != nil {
		return err
	}
	held := contents{}
	for adapter, accounts := range now {
		held[adapter] = maps.Clone(accounts)
	}
	if err := edit(held); err != nil {
		return err
	}
	text, err := encode(f.key, held)
	if err != nil {
		return err
	}
	return replace(f.path, text)
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}

// replace writes path at once: a crash leaves the old file or the new one.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("vault: write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
