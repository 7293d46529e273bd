// Package vault gives account secrets to the proxy from the stores that the
// configuration names, like an encrypted file or the environment. It returns a
// [Secret], which cannot be printed (invariant I1).
//
// Each kind of store is one file of this package: it implements [Store] and
// registers itself with registerStore.
package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrNotFound means that a store does not have the account and that the next
// store may. Every other error of a store is final: a store that cannot be read
// must not be passed over for one that may hold older secrets.
var ErrNotFound = errors.New("no secret is stored for this account")

// Store looks up the secret of one account. Its methods may be called
// concurrently. Each implementation passes testStore in contract_test.go.
type Store interface {
	// Secret returns the secret that was stored last, or ErrNotFound.
	Secret(ctx context.Context, adapter, account string) (Secret, error)
}

// Lister is a Store that can also name the accounts of an adapter.
type Lister interface {
	// Accounts returns the names of the adapter's accounts, sorted. An adapter
	// without accounts is not an error.
	Accounts(ctx context.Context, adapter string) ([]string, error)
}

// Inventory is a Store that can list its secrets for an operator.
type Inventory interface {
	// Entries returns an entry for each secret of the adapters, and of other
	// adapters if the store knows them, sorted by adapter and account.
	Entries(ctx context.Context, adapters []string) ([]Entry, error)
}

// Entry names one stored secret and its fields, without their values.
type Entry struct {
	Adapter string   `json:"adapter"`
	Account string   `json:"account"`
	Fields  []string `json:"fields"`
	Store   string   `json:"store"` // the kind of store, for people
}

// compareEntries is the order of [Inventory.Entries].
func compareEntries(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
}

// storeKind is one kind of store that a configuration can name.
type storeKind struct {
	// key is the key of the configuration that names the store. It begins the
	// errors of open.
	key string
	// order places the store in the chain: lower ones are asked first.
	order int
	// open returns nil if the configuration does not name the store.
	open func(c *Config, key Key) (Store, error)
}

var storeKinds []storeKind

// registerStore adds a kind of store. It is called from init functions only.
func registerStore(k storeKind) {
	storeKinds = append(storeKinds, k)
	slices.SortFunc(storeKinds, func(a, b storeKind) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.key, b.key))
	})
}

// Open opens every store that c names, in the order in which they are asked.
// The error joins the errors of all stores, each of which begins with the key
// of the configuration that names the store.
func Open(c Config, key Key) (Chain, error) {
	var stores Chain
	var problems []error
	for _, k := range storeKinds {
		s, err := k.open(&c, key)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", k.key, err))
			continue
		}
		if s != nil {
			stores = append(stores, s)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return stores, nil
}

// Chain asks its stores in order. The zero value has no secrets.
type Chain []Store

// Secret returns the secret of the first store that has the account, or
// ErrNotFound. It stops at the first store that fails otherwise.
func (c Chain) Secret(ctx context.Context, adapter, account string) (Secret, error) {
	for _, s := range c {
		secret, err := s.Secret(ctx, adapter, account)
		if !errors.Is(err, ErrNotFound) {
			return secret, err
		}
	}
	return Secret{}, ErrNotFound
}

// Accounts returns the accounts that the stores name, sorted, each once. Stores
// that are not Listers contribute nothing.
func (c Chain) Accounts(ctx context.Context, adapter string) ([]string, error) {
	var all []string
	for _, s := range c {
		lister, ok := s.(Lister)
		if !ok {
			continue
		}
		accounts, err := lister.Accounts(ctx, adapter)
		if err != nil {
			return nil, err
		}
		all = append(all, accounts...)
	}

	slices.Sort(all)
	return slices.Compact(all), nil
}

// Entries returns the entries of all stores, store by store. Stores that are no
// Inventories contribute nothing. The result is not nil.
func (c Chain) Entries(ctx context.Context, adapters []string) ([]Entry, error) {
	all := []Entry{}
	for _, s := range c {
		inventory, ok := s.(Inventory)
		if !ok {
			continue
		}
		entries, err := inventory.Entries(ctx, adapters)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}
