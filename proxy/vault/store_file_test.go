package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func newFile(t *testing.T) (*File, Key) {
	t.Helper()
	key := GenerateKey()
	f, err := OpenFile(filepath.Join(t.TempDir(), "vault"), key)
	if err != nil {
		t.Fatal(err)
	}
	return f, key
}

// newFileWithSecret returns a vault with one secret: wiki/bot.
func newFileWithSecret(t *testing.T) (*File, Key) {
	t.Helper()
	f, key := newFile(t)
	if err := f.Put("wiki", "bot", newSecret("password", canary)); err != nil {
		t.Fatal(err)
	}
	return f, key
}

func TestFileContract(t *testing.T) {
	f, key := newFile(t)
	writer, err := OpenFile(f.path, key)
	if err != nil {
		t.Fatal(err)
	}
	testStore(t, storeContract{f, func(t *testing.T, adapter, account string, fields map[string]string) {
		t.Helper()
		if err := writer.Put(adapter, account, NewSecret(fields)); err != nil {
			t.Fatal(err)
		}
	}})
}

func TestI1TheFileHoldsNothingReadable(t *testing.T) {
	f, _ := newFileWithSecret(t)
	text, err := os.ReadFile(f.path)
	if err != nil || bytes.Contains(text, []byte(canary)) || bytes.Contains(text, []byte("password")) {
		t.Errorf("the file shows the secret or its field (%v)", err)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode().Perm(), err)
	}
}

func TestFileListsAndRemoves(t *testing.T) {
	f, key := newFile(t)
	for _, account := range []string{"bot2", "bot1"} {
		if err := f.Put("wiki", account, newSecret("username", account, "password", canary)); err != nil {
			t.Fatal(err)
		}
	}
	other, err := OpenFile(f.path, key)
	if err != nil {
		t.Fatal(err)
	}

	if err := other.Remove("wiki", "bot1"); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("wiki", "bot1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the second Remove returned %v, want ErrNotFound", err)
	}
	if _, err := f.Secret(t.Context(), "wiki", "bot1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Secret of a removed account returned %v, want ErrNotFound", err)
	}
	want := []Entry{{"wiki", "bot2", []string{"password", "username"}, "file"}}
	if got, err := f.Entries(t.Context(), nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Entries returned %v, %v; want %v", got, err, want)
	}
}

// TestEachPutHasARevision puts the same secret twice. An operator who stores a secret
// again says that it is right, so each put counts.
func TestEachPutHasARevision(t *testing.T) {
	f, _ := newFile(t)
	revisions := map[string]bool{}
	for range 3 {
		if err := f.Put("wiki", "a", NewSecret(map[string]string{"password": "secret"})); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s, err := f.Secret(t.Context(), "wiki", "a")
			if err != nil || s.Revision() == "" {
				t.Fatalf("Secret returned revision %q, error %v", s.Revision(), err)
			}
			if got := s.Fields(); len(got) != 1 || got[0] != "password" {
				t.Errorf("the fields are %q, want password alone", got)
			}
			revisions[s.Revision()] = true
		}
	}
	if len(revisions) != 3 {
		t.Errorf("3 puts have %d revisions, want 3", len(revisions))
	}

	entries, err := f.Entries(t.Context(), nil)
	if err != nil || len(entries) != 1 || len(entries[0].Fields) != 1 {
		t.Errorf("Entries returned %v, %v; want one field", entries, err)
	}
}

func TestPutRefusesNamesAndFieldsItCannotStore(t *testing.T) {
	f, _ := newFile(t)
	ok := newSecret("password", "x")
	for _, c := range []struct {
		name, adapter, account string
		secret                 Secret
	}{
		{"no adapter", "", "bot", ok},
		{"no account", "wiki", "", ok},
		{"a slash", "wi/ki", "bot", ok},
		{"a control character", "wiki", "b\not", ok},
		{"a C1 control character", "wiki", "b\u009bot", ok},
		{"a mark of direction", "wiki", "b\u202eot", ok},
		{"a character that is not seen", "wi\u200bki", "bot", ok},
		{"no fields", "wiki", "bot", Secret{}},
		{"a field without a name", "wiki", "bot", newSecret("", "x")},
		{"a long name", "wiki", strings.Repeat("a", maxNameBytes+1), ok},
		{"not UTF-8", "wiki", "bot", newSecret("password", "\xff")},
	} {
		if err := f.Put(c.adapter, c.account, c.secret); err == nil {
			t.Errorf("%s: Put stored %q/%q", c.name, c.adapter, c.account)
		}
	}
}

func TestAWrongKeyOpensNothing(t *testing.T) {
	f, _ := newFileWithSecret(t)
	_, err := OpenFile(f.path, GenerateKey())
	if !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), f.path) {
		t.Errorf("OpenFile with another key returned %v, want ErrSealed and the path", err)
	}
	if _, err := OpenFile(f.path, Key{}); err == nil {
		t.Error("OpenFile opened a vault with the zero key")
	}
}

func TestEveryChangedByteIsFound(t *testing.T) {
	key := GenerateKey()
	text, err := encodeFile(key, secretsByAdapter{"wiki": {"bot": {"password": canary}}})
	if err != nil {
		t.Fatal(err)
	}

	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if _, err := decodeFile(key, changed); err == nil {
			t.Errorf("byte %d of %d was changed: decodeFile returned no error", i, len(text))
		}
		if _, err := decodeFile(key, text[:i]); err == nil {
			t.Errorf("cut to %d of %d bytes: decodeFile returned no error", i, len(text))
		}
	}
	if _, err := decodeFile(key, append(text, 0)); err == nil {
		t.Error("one byte was added: decodeFile returned no error")
	}
}

func TestAFileThatOthersCanAccessIsRefused(t *testing.T) {
	f, key := newFileWithSecret(t)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(f.path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(f.path, key); err == nil || !strings.Contains(err.Error(), "chmod 600 "+f.path) {
			t.Errorf("mode %04o: OpenFile returned %v, want the remedy", mode, err)
		}
		if _, err := f.Secret(t.Context(), "wiki", "bot"); err == nil {
			t.Errorf("mode %04o: an open vault still returned a secret", mode)
		}
	}
}

func TestAVaultThatDisappearsIsNotEmpty(t *testing.T) {
	f, _ := newFileWithSecret(t)
	if _, err := f.Secret(t.Context(), "wiki", "bot"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Secret(t.Context(), "wiki", "bot"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("Secret returned %v, want an error that is not ErrNotFound", err)
	}
}

// TestMain lets a test run this binary as another process that writes.
func TestMain(m *testing.M) {
	path := os.Getenv("VAULT_TEST_WRITER")
	if path == "" {
		os.Exit(m.Run())
	}

	key, err := LoadKey(Config{KeyEnv: "VAULT_TEST_KEY"})
	if err == nil {
		err = putMany(path, key, os.Getenv("VAULT_TEST_NAME"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const manyPuts = 25

func putMany(path string, key Key, name string) error {
	f, err := OpenFile(path, key)
	if err != nil {
		return err
	}
	for i := range manyPuts {
		if err := f.Put("wiki", fmt.Sprintf("%s%02d", name, i), newSecret("password", "x")); err != nil {
			return err
		}
	}
	return nil
}

func TestTwoWritingProcessesLoseNothing(t *testing.T) {
	key, _, text := writeTestKey(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "vault")

	var writers []*exec.Cmd
	for _, name := range []string{"a", "b"} {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "VAULT_TEST_WRITER="+path, "VAULT_TEST_NAME="+name, "VAULT_TEST_KEY="+text)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, c)
	}
	for _, c := range writers {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}

	f, err := OpenFile(path, key)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := f.Accounts(t.Context(), "wiki"); err != nil || len(names) != 2*manyPuts {
		t.Errorf("the vault has %d accounts (%v), want %d", len(names), err, 2*manyPuts)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if want := []string{path, path + ".lock"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("the folder holds %v (%v), want %v", left, err, want)
	}
}

func FuzzOpen(f *testing.F) {
	key := newKey(make([]byte, keyBytes))
	good, err := encodeFile(key, secretsByAdapter{"wiki": {"bot": {"password": canary}}})
	if err != nil {
		f.Fatal(err)
	}
	notJSON, err := key.Seal(filePurpose, []byte("not JSON"))
	if err != nil {
		f.Fatal(err)
	}

	f.Add(good)
	f.Add([]byte(fileHeader))
	f.Add(append([]byte(fileHeader), notJSON...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		secrets, err := decodeFile(key, text)
		if err == nil && (len(secrets) != 1 || secrets["wiki"]["bot"]["password"] != canary) {
			t.Errorf("decodeFile opened bytes that this key did not seal: %d adapters", len(secrets))
		}
	})
}
