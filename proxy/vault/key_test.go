package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeTestKey writes a new key and returns it with its path and its text.
func writeTestKey(t *testing.T) (key Key, path, text string) {
	t.Helper()
	key = GenerateKey()
	path = filepath.Join(t.TempDir(), "vault.key")
	if err := WriteKey(path, key); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return key, path, string(b)
}

func TestLoadKeyReadsEachPlace(t *testing.T) {
	want, path, text := writeTestKey(t)
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "byline-key"), []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	t.Setenv("BYLINE_TEST_KEY", text)

	for _, c := range []Config{{KeyFile: path}, {KeyEnv: "BYLINE_TEST_KEY"}, {KeyCredential: "byline-key"}} {
		got, err := LoadKey(c)
		if err != nil || !bytes.Equal(got.Derive("x"), want.Derive("x")) {
			t.Errorf("%+v: LoadKey returned another key, or %v", c, err)
		}
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	_, path, text := writeTestKey(t)
	open := filepath.Join(t.TempDir(), "open")
	bad := filepath.Join(t.TempDir(), "bad")
	err := errors.Join(
		os.WriteFile(open, []byte(text), 0o600),
		os.Chmod(open, 0o644),
		os.WriteFile(bad, []byte(keyPrefix+canary), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")

	for _, c := range []struct {
		name, want string
		config     Config
	}{
		{"no place", "set key_file, key_env or key_credential", Config{}},
		{"two places", "not more", Config{KeyFile: path, KeyEnv: "X"}},
		{"a missing file", "no such file", Config{KeyFile: path + "x"}},
		{"a file that others can access", "chmod 600 " + open, Config{KeyFile: open}},
		{"a file without a key", "not a vault key", Config{KeyFile: bad}},
		{"a variable that is not set", "is not set", Config{KeyEnv: "BYLINE_TEST_UNSET"}},
		{"a credential without systemd", "LoadCredential=k:PATH", Config{KeyCredential: "k"}},
		{"a credential by path", "not a path", Config{KeyCredential: "../k"}},
	} {
		_, err := LoadKey(c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: LoadKey returned %v, want %q", c.name, err, c.want)
		}
	}
}

func TestWriteKeyNeverOverwrites(t *testing.T) {
	_, path, _ := writeTestKey(t)
	if err := WriteKey(path, GenerateKey()); !errors.Is(err, os.ErrExist) {
		t.Errorf("WriteKey returned %v, want os.ErrExist", err)
	}
}

func TestSealIsForOneKeyAndOnePurpose(t *testing.T) {
	k := GenerateKey()
	sealed, err := k.Seal("session", []byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	again, err := k.Seal("session", []byte(canary))
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("sealing twice gave the same bytes (%v)", err)
	}

	if plain, err := k.Open("session", sealed); err != nil || string(plain) != canary {
		t.Errorf("Open returned %q, %v; want the plain text", plain, err)
	}
	if _, err := k.Open("task", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("Open for another purpose returned %v, want ErrSealed", err)
	}
	if _, err := GenerateKey().Open("session", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("Open with another key returned %v, want ErrSealed", err)
	}
}

func TestDerivedKeysDifferByPurposeAlone(t *testing.T) {
	k := GenerateKey()
	if bytes.Equal(k.Derive("a"), k.Derive("b")) {
		t.Error("two purposes have the same key")
	}
	if !bytes.Equal(k.Derive("a"), k.Derive("a")) || len(k.Derive("a")) != 32 {
		t.Error("one purpose has two keys, or not 32 bytes")
	}
}

func TestZeroKeySealsNothing(t *testing.T) {
	if _, err := (Key{}).Seal("session", nil); err == nil {
		t.Error("the zero key sealed")
	}
	if _, err := (Key{}).Open("session", make([]byte, 100)); err == nil {
		t.Error("the zero key opened")
	}
	if (Key{}).Derive("a") != nil {
		t.Error("the zero key derived a key")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(keyPrefix + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if err == nil && (k.isZero() || !strings.HasPrefix(strings.TrimSpace(text), keyPrefix)) {
			t.Errorf("ParseKey accepted %q", text)
		}
	})
}
