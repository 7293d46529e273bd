package vault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// storeContract is what testStore needs of one kind of store.
type storeContract struct {
	store Store
	// put stores a secret where the store finds it. The fields are among
	// username and password; adapters and accounts have only lower case letters
	// and digits.
	put func(t *testing.T, adapter, account string, fields map[string]string)
}

// testStore tests what every Store guarantees. Call it from the test of each
// kind, with a store that holds nothing.
func testStore(t *testing.T, c storeContract) {
	fields := map[string]string{"username": "bot", "password": canary}
	want := func(account string, fields map[string]string) {
		t.Helper()
		got, err := c.store.Secret(t.Context(), "wiki", account)
		if err != nil || !got.Equal(NewSecret(fields)) {
			t.Errorf("Secret of wiki/%s returned fields %v, %v; want %v", account, got.Fields(), err, slices.Sorted(maps.Keys(fields)))
		}
	}
	wantNone := func(adapter, account string) {
		t.Helper()
		if got, err := c.store.Secret(t.Context(), adapter, account); !errors.Is(err, ErrNotFound) || len(got.Fields()) > 0 {
			t.Errorf("Secret of %s/%s returned fields %v, %v; want ErrNotFound", adapter, account, got.Fields(), err)
		}
	}

	wantNone("wiki", "bot1")
	c.put(t, "wiki", "bot2", fields)
	c.put(t, "wiki", "bot1", map[string]string{"password": "x"})
	c.put(t, "shop", "bot3", fields)
	want("bot1", map[string]string{"password": "x"})
	want("bot2", fields)

	// Unknown names are not found: neither is a name taken for another.
	wantNone("wiki", "bot3")
	wantNone("shop", "bot1")
	wantNone("wik", "bot1")
	wantNone("", "")

	// The secret that was stored last is returned.
	c.put(t, "wiki", "bot1", map[string]string{"password": "y"})
	want("bot1", map[string]string{"password": "y"})

	if lister, ok := c.store.(Lister); ok {
		for adapter, want := range map[string][]string{"wiki": {"bot1", "bot2"}, "shop": {"bot3"}, "none": nil} {
			got, err := lister.Accounts(t.Context(), adapter)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("Accounts of %s returned %v, %v; want %v", adapter, got, err, want)
			}
		}
	}

	if inventory, ok := c.store.(Inventory); ok {
		got, err := inventory.Entries(t.Context(), []string{"shop", "wiki", "none"})
		var names []string
		for _, e := range got {
			names = append(names, e.Adapter+"/"+e.Account+" "+strings.Join(e.Fields, "+"))
			if e.Store == "" || e.Store != got[0].Store {
				t.Errorf("Entries names the store %q and %q, want one name", e.Store, got[0].Store)
			}
		}
		want := []string{"shop/bot3 password+username", "wiki/bot1 password", "wiki/bot2 password+username"}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("Entries returned %q, %v; want %q", names, err, want)
		}
	}

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := c.store.Secret(t.Context(), "wiki", fmt.Sprintf("bot%d", 1+i%2)); err != nil {
					t.Errorf("concurrent Secret: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
