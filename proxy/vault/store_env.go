package vault

import (
	"context"
	"os"
	"slices"
	"strings"
)

func init() {
	registerStore(storeKind{key: "env", order: 20, open: func(c *Config, _ Key) (Store, error) {
		if !c.Env {
			return nil, nil
		}
		return Env{}, nil
	}})
}

// envFields are the fields that the environment may hold. No name is the end of
// another, so that a variable can be read in one way only.
var envFields = []string{"username", "password", "totp_seed", "token", "client_id", "client_secret", "log_name"}

// Env is a [Store] of secrets in the variables
// BYLINE_SECRET_<ADAPTER>_<ACCOUNT>_<FIELD>: upper case, with '_' for every
// character of the adapter's name that is neither letter nor digit. It is also a
// [Lister] and an [Inventory].
//
// Adapters whose names differ only in such characters share their variables. An
// account has only letters and digits, so that a variable of adapter wiki-test
// is never taken for one of adapter wiki. Accounts are listed in lower case.
//
// The zero value reads the environment of the process at every call.
type Env struct{}

// Secret returns the fields that are set and not empty, or ErrNotFound if there
// are none.
func (Env) Secret(_ context.Context, adapter, account string) (Secret, error) {
	if !isPlainAccount(account) {
		return Secret{}, ErrNotFound
	}

	fields := map[string]string{}
	for _, field := range envFields {
		value := os.Getenv(envPrefix(adapter) + strings.ToUpper(account+"_"+field))
		if value != "" {
			fields[field] = value
		}
	}
	if len(fields) == 0 {
		return Secret{}, ErrNotFound
	}
	return NewSecret(fields), nil
}

// Accounts returns the accounts with at least one field. It never fails.
func (Env) Accounts(_ context.Context, adapter string) ([]string, error) {
	var accounts []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		rest, ok := strings.CutPrefix(name, envPrefix(adapter))
		if !ok || value == "" {
			continue
		}
		for _, field := range envFields {
			account, ok := strings.CutSuffix(rest, "_"+strings.ToUpper(field))
			if ok && isPlainAccount(account) {
				accounts = append(accounts, strings.ToLower(account))
			}
		}
	}

	slices.Sort(accounts)
	return slices.Compact(accounts), nil
}

// Entries implements [Inventory]. Only the names of adapters lead to variables, so
// it returns the entries of the adapters that are named.
func (e Env) Entries(ctx context.Context, adapters []string) (entries []Entry, err error) {
	for _, adapter := range adapters {
		accounts, _ := e.Accounts(ctx, adapter) // never fails
		for _, account := range accounts {
			s, err := e.Secret(ctx, adapter, account)
			if err != nil {
				continue
			}
			entries = append(entries, Entry{adapter, account, s.Fields(), "environment"})
		}
	}
	slices.SortFunc(entries, compareEntries)
	return entries, nil
}

func envPrefix(adapter string) string {
	name := strings.Map(func(r rune) rune {
		if isLetterOrDigit(r) {
			return r
		}
		return '_'
	}, strings.ToUpper(adapter))
	return "BYLINE_SECRET_" + name + "_"
}

func isPlainAccount(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isLetterOrDigit(r) })
}

func isLetterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
