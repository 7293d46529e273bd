package vault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func keyText(t *testing.T) (Key, string, string) {
	t.Helper()
	k, path := GenerateKey(), filepath.Join(t.TempDir(), "vault.key")
	if err := WriteKey(path, k); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return k, path, string(text)
}

func TestLoadKeyFromEachPlace(t *testing.T) {
	want, path, text := keyText(t)
	creds := t.TempDir()
	if err := os.WriteFile(filepath.Join(creds, "byline-key"), []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", creds)
	t.Setenv("BYLINE_TEST_KEY", text)
	for _, c := range []Config{{KeyFile: path}, {KeyEnv: "BYLINE_TEST_KEY"}, {KeyCredential: "byline-key"}} {
		k, err := LoadKey(c)
		if err != nil || !bytes.Equal(k.Derive("x"), want.Derive("x")) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	_, path, text := keyText(t)
	wide := filepath.Join(t.TempDir(), "wide")
	bad := filepath.Join(t.TempDir(), "bad")
	os.WriteFile(wide, []byte(text), 0o600)
	os.Chmod(wide, 0o644)
	os.WriteFile(bad, []byte(keyPrefix+canary), 0o600)
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	for _, c := range []struct {
		name, says string
		cfg        Config
	}{
		{"none", "set key_file, key_env or key_credential", Config{}},
		{"two", "not more", Config{KeyFile: path, KeyEnv: "X"}},
		{"missing", "no such file", Config{KeyFile: path + "x"}},
		{"open to others", "chmod 600 " + wide, Config{KeyFile: wide}},
		{"not a key", "not a vault key", Config{KeyFile: bad}},
		{"unset", "is not set", Config{KeyEnv: "BYLINE_TEST_UNSET"}},
		{"no systemd", "LoadCredential=k:PATH", Config{KeyCredential: "k"}},
		{"credential by path", "not a path", Config{KeyCredential: "../k"}},
	} {
		_, err := LoadKey(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := WriteKey(path, GenerateKey()); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
}

func TestSealIsForOnePurposeAndOneKey(t *testing.T) {
	k := GenerateKey()
	sealed, err := k.Seal("session", []byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	again, _ := k.Seal("session", []byte(canary))
	if bytes.Equal(sealed, again) {
		t.Error("sealing twice gave the same bytes")
	}
	if plain, err := k.Open("session", sealed); err != nil || string(plain) != canary {
		t.Errorf("open: %q, %v", plain, err)
	}
	if _, err := k.Open("task", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := GenerateKey().Open("session", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another key: %v", err)
	}
	if bytes.Equal(k.Derive("a"), k.Derive("b")) || !bytes.Equal(k.Derive("a"), k.Derive("a")) || len(k.Derive("a")) != 32 {
		t.Error("derived keys do not differ by purpose alone")
	}
	if _, err := (Key{}).Seal("session", nil); err == nil || (Key{}).Derive("a") != nil {
		t.Error("the zero key works")
	}
}

func TestEnv(t *testing.T) {
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_USERNAME", "u")
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_TOTP_SEED", "s")
	t.Setenv("BYLINE_SECRET_WIKI_TEST_BOT2_CLIENT_SECRET", "c")
	t.Setenv("BYLINE_SECRET_WIKI_BOT3_PASSWORD", "")
	t.Setenv("BYLINE_SECRET_WIKI_BOT4_SHOESIZE", "44")
	for _, c := range []struct {
		adapter string
		want    []string
	}{{"wiki", []string{"bot1"}}, {"wiki-test", []string{"bot2"}}, {"other", nil}} {
		if got, err := (Env{}).Accounts(ctx, c.adapter); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("accounts of %s: %v, want %v (%v)", c.adapter, got, c.want, err)
		}
	}
	s, err := Env{}.Secret(ctx, "wiki", "bot1")
	if v, _ := s.Reveal("totp_seed"); err != nil || v != "s" || !slices.Equal(s.Fields(), []string{"totp_seed", "username"}) {
		t.Errorf("%v, %v", s.Fields(), err)
	}
	for _, account := range []string{"test_bot2", "bot3", "bot4", "", "bot-1"} {
		if _, err := (Env{}).Secret(ctx, "wiki", account); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", account, err)
		}
	}
}

type broken struct{}

var errDown = errors.New("down")

func (broken) Secret(context.Context, string, string) (Secret, error) { return Secret{}, errDown }
func (broken) Accounts(context.Context, string) ([]string, error)     { return nil, errDown }

func TestChain(t *testing.T) {
	f, _ := newFile(t)
	if err := f.Put("wiki", "bot1", secret("username", "file")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_USERNAME", "env")
	t.Setenv("BYLINE_SECRET_WIKI_BOT2_USERNAME", "env")
	c := Chain{f, Env{}}
	for account, want := range map[string]string{"bot1": "file", "bot2": "env"} {
		s, err := c.Secret(ctx, "wiki", account)
		if v, _ := s.Reveal("username"); err != nil || v != want {
			t.Errorf("%s is from %q (%v)", account, v, err)
		}
	}
	if names, err := c.Accounts(ctx, "wiki"); err != nil || !slices.Equal(names, []string{"bot1", "bot2"}) {
		t.Errorf("accounts %v, %v", names, err)
	}
	down := Chain{broken{}, Env{}}
	if _, err := down.Secret(ctx, "wiki", "bot2"); !errors.Is(err, errDown) {
		t.Errorf("a broken store was passed over: %v", err)
	}
	if _, err := down.Accounts(ctx, "wiki"); !errors.Is(err, errDown) {
		t.Errorf("a broken store was passed over: %v", err)
	}
	if _, err := (Chain{}).Secret(ctx, "wiki", "bot1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no stores: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	key := newKey(make([]byte, keyBytes))
	good, err := encode(key, contents{"wiki": {"bot": {"password": canary}}})
	if err != nil {
		f.Fatal(err)
	}
	sealed, _ := key.Seal(purpose, []byte("not JSON"))
	f.Add(good)
	f.Add([]byte(header))
	f.Add(append([]byte(header), sealed...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		held, err := decode(key, text)
		if err == nil && (len(held) != 1 || held["wiki"]["bot"]["password"] != canary) {
			t.Errorf("opened what this key did not seal: %d adapters", len(held))
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add(keyPrefix + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParseKey(text); err == nil && (k.hidden == nil || !strings.HasPrefix(strings.TrimSpace(text), keyPrefix)) {
			t.Errorf("took %q", text)
		}
	})
}
