package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

const canary = "canary-9f2b7c"

var ctx = context.Background()

func secret(pairs ...string) Secret {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return NewSecret(m)
}

func newFile(t *testing.T) (*File, Key) {
	t.Helper()
	key := GenerateKey()
	f, err := OpenFile(filepath.Join(t.TempDir(), "vault"), key)
	if err != nil {
		t.Fatal(err)
	}
	return f, key
}

func TestI1NothingPrintsASecret(t *testing.T) {
	s := secret("password", canary)
	key := newKey([]byte(strings.Repeat(canary, 3)[:keyBytes]))
	type nested struct {
		Open   any
		hidden any
		s      Secret
		p      *Secret
		k      Key
	}
	values := []any{s, &s, key, &key, []Secret{s}, []Key{key}, map[string]Secret{"a": s}, map[string]Key{"a": key},
		nested{Open: s, hidden: s, s: s, p: &s, k: key}, &nested{Open: &key, hidden: key, k: key}, fmt.Errorf("login: %v", s)}
	marks := []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))}
	marks[3] = strings.Trim(marks[3], "[]")
	seen := func(how, out string) {
		t.Helper()
		for _, m := range marks {
			if strings.Contains(out, m) {
				t.Errorf("%s shows the secret: %s", how, out)
			}
		}
	}
	for _, v := range values {
		for _, verb := range strings.Split("v +v #v s q x X d t c b o e g p T U w", " ") {
			seen(fmt.Sprintf("%%%s of %T", verb, v), fmt.Sprintf("%"+verb, v))
		}
		seen("Sprintln", fmt.Sprintln(v))
		b, _ := json.Marshal(v)
		seen("json", string(b))
		var log bytes.Buffer
		z := zerolog.New(&log)
		z.Info().Interface("a", v).Any("b", v).Str("c", fmt.Sprint(v)).Msgf("%v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
		seen("a log", log.String())
	}
	var log bytes.Buffer
	z := zerolog.New(&log)
	z.Info().Object("s", s).Object("k", key).Stringer("t", s).Send()
	seen("zerolog objects", log.String())
	for _, v := range []any{s, key} {
		if got := fmt.Sprintf("%v %s %+v %#v %x", v, v, v, v, v); got != strings.TrimSpace(strings.Repeat("REDACTED ", 5)) {
			t.Errorf("%T prints as %s", v, got)
		}
	}
	if got, ok := s.Reveal("password"); !ok || got != canary {
		t.Errorf("Reveal gave %q, %v", got, ok)
	}
}

func TestI1TheFileHoldsNothingReadable(t *testing.T) {
	f, _ := newFile(t)
	if err := f.Put("wiki", "bot", secret("password", canary)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.path)
	if err != nil || bytes.Contains(text, []byte(canary)) || bytes.Contains(text, []byte("password")) {
		t.Errorf("the file shows what is inside (%v)", err)
	}
	if st, _ := os.Stat(f.path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o", st.Mode().Perm())
	}
}

func TestPutListRemove(t *testing.T) {
	f, key := newFile(t)
	for _, name := range []string{"bot2", "bot1"} {
		if err := f.Put("wiki", name, secret("username", name, "password", canary)); err != nil {
			t.Fatal(err)
		}
	}
	other, err := OpenFile(f.path, key)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := other.Accounts(ctx, "wiki"); err != nil || !slices.Equal(names, []string{"bot1", "bot2"}) {
		t.Errorf("accounts %v, %v", names, err)
	}
	if err := f.Put("wiki", "bot1", secret("token", "new")); err != nil {
		t.Fatal(err)
	}
	s, err := other.Secret(ctx, "wiki", "bot1")
	if v, _ := s.Reveal("token"); err != nil || v != "new" || len(s.Fields()) != 1 {
		t.Errorf("a change on disk was not taken up: %v %v", s.Fields(), err)
	}
	if err := other.Remove("wiki", "bot1"); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("wiki", "bot1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("second removal: %v", err)
	}
	if _, err := f.Secret(ctx, "wiki", "bot1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed secret: %v", err)
	}
	list, err := f.List()
	if want := []Entry{{"wiki", "bot2", []string{"password", "username"}}}; err != nil || fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("list %v, %v", list, err)
	}
}

func TestPutRefuses(t *testing.T) {
	f, _ := newFile(t)
	ok := secret("password", "x")
	for _, c := range []struct {
		name, adapter, account string
		s                      Secret
	}{
		{"no adapter", "", "bot", ok}, {"no account", "wiki", "", ok}, {"slash", "wi/ki", "bot", ok},
		{"control character", "wiki", "b\not", ok}, {"no fields", "wiki", "bot", Secret{}},
		{"long", "wiki", strings.Repeat("a", 201), ok}, {"not UTF-8", "wiki", "bot", secret("password", "\xff")},
	} {
		if err := f.Put(c.adapter, c.account, c.s); err == nil {
			t.Errorf("%s was stored", c.name)
		}
	}
}

func TestWrongKeyOpensNothing(t *testing.T) {
	f, _ := newFile(t)
	if err := f.Put("wiki", "bot", secret("password", canary)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(f.path, GenerateKey()); !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), f.path) {
		t.Errorf("wrong key: %v", err)
	}
	if _, err := OpenFile(f.path, Key{}); err == nil {
		t.Error("the zero key opened a vault")
	}
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	key := GenerateKey()
	text, err := encode(key, contents{"wiki": {"bot": {"password": canary}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if _, err := decode(key, bad); err == nil {
			t.Errorf("byte %d of %d flipped and nothing said", i, len(text))
		}
		if _, err := decode(key, text[:i]); err == nil {
			t.Errorf("cut to %d bytes and nothing said", i)
		}
	}
	if _, err := decode(key, append(text, 0)); err == nil {
		t.Error("a byte more and nothing said")
	}
}

func TestFileOpenToOthersIsRefusedWithRemedy(t *testing.T) {
	f, key := newFile(t)
	if err := f.Put("wiki", "bot", secret("password", canary)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(f.path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(f.path, key); err == nil || !strings.Contains(err.Error(), "chmod 600 "+f.path) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if _, err := f.Secret(ctx, "wiki", "bot"); err == nil {
			t.Errorf("mode %04o: an open vault went on", mode)
		}
	}
}

func TestAVanishedFileIsNoEmptyVault(t *testing.T) {
	f, _ := newFile(t)
	if err := f.Put("wiki", "bot", secret("password", canary)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Secret(ctx, "wiki", "bot"); err != nil {
		t.Fatal(err)
	}
	os.Remove(f.path)
	if _, err := f.Secret(ctx, "wiki", "bot"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("the file is gone: %v", err)
	}
}

// TestMain lets a test run this binary as another process that writes.
func TestMain(m *testing.M) {
	if path := os.Getenv("VAULT_TEST_WRITER"); path != "" {
		key, err := LoadKey(Config{KeyEnv: "VAULT_TEST_KEY"})
		if err == nil {
			err = putMany(path, key, os.Getenv("VAULT_TEST_NAME"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const manyPuts = 25

func putMany(path string, key Key, name string) error {
	f, err := OpenFile(path, key)
	if err != nil {
		return err
	}
	for i := range manyPuts {
		if err := f.Put("wiki", fmt.Sprintf("%s%02d", name, i), NewSecret(map[string]string{"password": "x"})); err != nil {
			return err
		}
	}
	return nil
}

func TestTwoProcessesLoseNothing(t *testing.T) {
	dir := t.TempDir()
	key := GenerateKey()
	if err := WriteKey(filepath.Join(dir, "key"), key); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "vault")
	var writers []*exec.Cmd
	for _, name := range []string{"a", "b"} {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "VAULT_TEST_WRITER="+path, "VAULT_TEST_NAME="+name, "VAULT_TEST_KEY="+string(text))
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
	if names, err := f.Accounts(ctx, "wiki"); err != nil || len(names) != 2*manyPuts {
		t.Errorf("%d of %d accounts are there (%v)", len(names), 2*manyPuts, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".vault-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
