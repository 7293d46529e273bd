package vault

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const canary = "canary-9f2b7c"

func newSecret(pairs ...string) Secret {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return NewSecret(m)
}

// failing is a store that cannot be read.
type failing struct{}

var errFailing = errors.New("down")

func (failing) Secret(context.Context, string, string) (Secret, error) { return Secret{}, errFailing }
func (failing) Accounts(context.Context, string) ([]string, error)     { return nil, errFailing }

func TestChainAsksItsStoresInOrder(t *testing.T) {
	f, _ := newFile(t)
	if err := f.Put("wiki", "bot1", newSecret("username", "file")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_USERNAME", "env")
	t.Setenv("BYLINE_SECRET_WIKI_BOT2_USERNAME", "env")

	c := Chain{f, Env{}}
	for account, want := range map[string]string{"bot1": "file", "bot2": "env"} {
		s, err := c.Secret(t.Context(), "wiki", account)
		if got, _ := s.Reveal("username"); err != nil || got != want {
			t.Errorf("Secret of %s is from %q (%v), want %q", account, got, err, want)
		}
	}
	if got, err := c.Accounts(t.Context(), "wiki"); err != nil || !slices.Equal(got, []string{"bot1", "bot2"}) {
		t.Errorf("Accounts returned %v, %v; want bot1 and bot2 once each", got, err)
	}
	entries, err := c.Entries(t.Context(), []string{"wiki"})
	if len(entries) != 3 || err != nil || entries[0].Store != "file" || entries[2].Account != "bot2" {
		t.Errorf("Entries returned %v, %v; want bot1 of the file, then bot1 and bot2 of the environment", entries, err)
	}
	if none, err := (Chain{failing{}}).Entries(t.Context(), nil); none == nil || len(none) > 0 || err != nil {
		t.Errorf("Entries of a store that is no Inventory returned %#v, %v; want an empty list", none, err)
	}
	if _, err := (Chain{}).Secret(t.Context(), "wiki", "bot1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Secret of an empty chain returned %v, want ErrNotFound", err)
	}
}

func TestChainStopsAtAStoreThatFails(t *testing.T) {
	t.Setenv("BYLINE_SECRET_WIKI_BOT2_USERNAME", "env")
	c := Chain{failing{}, Env{}}
	if _, err := c.Secret(t.Context(), "wiki", "bot2"); !errors.Is(err, errFailing) {
		t.Errorf("Secret returned %v, want the error of the store that failed", err)
	}
	if _, err := c.Accounts(t.Context(), "wiki"); !errors.Is(err, errFailing) {
		t.Errorf("Accounts returned %v, want the error of the store that failed", err)
	}
}

func TestOpenOpensWhatTheConfigurationNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault")
	for _, c := range []struct {
		config Config
		want   Chain
	}{
		{Config{}, nil},
		{Config{Env: true}, Chain{Env{}}},
		{Config{File: path}, Chain{&File{}}},
		{Config{File: path, Env: true}, Chain{&File{}, Env{}}},
	} {
		got, err := Open(c.config, GenerateKey())
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%+v: Open returned %d stores, %v; want %d", c.config, len(got), err, len(c.want))
			continue
		}
		for i, s := range got {
			_, isFile := s.(*File)
			if _, wantFile := c.want[i].(*File); isFile != wantFile {
				t.Errorf("%+v: store %d is a %T, want a %T", c.config, i, s, c.want[i])
			}
		}
	}
}

func TestOpenReportsEveryProblemUnderItsKey(t *testing.T) {
	registerForTest(t, storeKind{key: "remote", order: 30, open: func(*Config, Key) (Store, error) { return nil, errFailing }})
	_, err := Open(Config{File: t.TempDir()}, GenerateKey())
	if err == nil || !strings.HasPrefix(err.Error(), "file: ") || !strings.Contains(err.Error(), "\nremote: down") {
		t.Errorf("Open returned %v, want a line for file and one for remote", err)
	}
}

// mapStore is a store that this file alone adds.
type mapStore struct {
	mu      sync.Mutex
	secrets map[string]map[string]string // by adapter/account
}

func (s *mapStore) put(_ *testing.T, adapter, account string, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[adapter+"/"+account] = maps.Clone(fields)
}

func (s *mapStore) Secret(_ context.Context, adapter, account string) (Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields, ok := s.secrets[adapter+"/"+account]
	if !ok {
		return Secret{}, ErrNotFound
	}
	return NewSecret(fields), nil
}

// registerForTest registers a kind until the test ends.
func registerForTest(t *testing.T, k storeKind) {
	t.Helper()
	before := slices.Clone(storeKinds)
	t.Cleanup(func() { storeKinds = before })
	registerStore(k)
}

func TestAStoreIsAddedByOneFile(t *testing.T) {
	remote := &mapStore{secrets: map[string]map[string]string{}}
	registerForTest(t, storeKind{key: "remote", order: 15, open: func(*Config, Key) (Store, error) { return remote, nil }})
	t.Run("contract", func(t *testing.T) {
		testStore(t, storeContract{remote, remote.put})
	})

	remote.put(t, "wiki", "bot1", map[string]string{"username": "remote"})
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_USERNAME", "env")
	stores, err := Open(Config{Env: true}, GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	s, err := stores.Secret(t.Context(), "wiki", "bot1")
	if got, _ := s.Reveal("username"); err != nil || got != "remote" {
		t.Errorf("Secret is from %q (%v), want the store of the lower order", got, err)
	}
}
