// Package vault is where account secrets lie: an encrypted file, or the
// environment. What it hands out is a [Secret], which cannot be printed (I1).
//
// The file is AES-256-GCM under a key derived by HKDF-SHA-256 (RFC 5869), all
// from the standard library. Encryption does not tell an old copy of the file
// from the newest: whoever can replace the file can bring back old secrets.
package vault

import (
	"context"
	"errors"
	"slices"
)

// ErrNotFound says that a store does not have the account; the next one may.
// Every other error is final: a store that cannot be read must not be passed
// over for one that may hold something older.
var ErrNotFound = errors.New("no secret is stored for this account")

// Store gives one account's secret. It may be called concurrently.
type Store interface {
	Secret(ctx context.Context, adapter, account string) (Secret, error)
}

// Lister is a Store that can also name the accounts of an adapter, sorted.
type Lister interface {
	Accounts(ctx context.Context, adapter string) ([]string, error)
}

// Chain asks its stores in order. The zero value has no secret.
type Chain []Store

// Secret is the first store's that has one.
func (c Chain) Secret(ctx context.Context, adapter, account string) (Secret, error) {
	for _, s := range c {
		secret, err := s.Secret(ctx, adapter, account)
		if !errors.Is(err, ErrNotFound) {
			return secret, err
		}
	}
	return Secret{}, ErrNotFound
}

// Accounts is what the stores list together, each name once.
func (c Chain) Accounts(ctx context.Context, adapter string) ([]string, error) {
	var all []string
	for _, s := range c {
		l, ok := s.(Lister)
		if !ok {
			continue
		}
		some, err := l.Accounts(ctx, adapter)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
