package vault

import (
	"context"
	"os"
	"slices"
	"strings"
)

// envFields are the fields that the environment may hold. No name here ends in
// another one, so that a variable is read in one way only.
var envFields = []string{"username", "password", "totp_seed", "token", "client_id", "client_secret"}

// Env takes secrets from variables BYLINE_SECRET_<ADAPTER>_<ACCOUNT>_<FIELD>:
// upper case, and in the adapter's name '_' for everything that is neither
// letter nor digit. An account has only letters and digits, so that a variable
// of adapter wiki-test is never taken for one of adapter wiki. Adapters whose
// names differ only in such characters share their variables.
//
// Accounts are listed in lower case. The zero value reads the process's
// environment at every call; it may be called concurrently.
type Env struct{}

// Secret has the fields that are set and not empty; none is ErrNotFound.
func (Env) Secret(_ context.Context, adapter, account string) (Secret, error) {
	if !plainAccount(account) {
		return Secret{}, ErrNotFound
	}
	found := map[string]string{}
	for _, field := range envFields {
		if v := os.Getenv(envPrefix(adapter) + strings.ToUpper(account+"_"+field)); v != "" {
			found[field] = v
		}
	}
	if len(found) == 0 {
		return Secret{}, ErrNotFound
	}
	return NewSecret(found), nil
}

// Accounts are those with at least one field.
func (Env) Accounts(_ context.Context, adapter string) ([]string, error) {
	var out []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		rest, ok := strings.CutPrefix(name, envPrefix(adapter))
		if !ok || value == "" {
			continue
		}
		for _, field := range envFields {
			account, ok := strings.CutSuffix(rest, "_"+strings.ToUpper(field))
			if ok && plainAccount(account) {
				out = append(out, strings.ToLower(account))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func envPrefix(adapter string) string {
	return "BYLINE_SECRET_" + strings.Map(func(r rune) rune {
		if isPlain(r) {
			return r
		}
		return '_'
	}, strings.ToUpper(adapter)) + "_"
}

func plainAccount(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !isPlain(r) })
}

func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
