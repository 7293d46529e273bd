package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/vault"
)

func vaultCommand() *cobra.Command {
	v := &cobra.Command{Use: "vault", Short: "Keep the secrets of compensating accounts", Example: "  byline vault list", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("vault: name one of put, list and rm") }}
	v.AddCommand(vaultPut(), vaultList(), vaultRemove())
	return v
}

func vaultPut() *cobra.Command {
	var names []string
	c := &cobra.Command{Use: "put ADAPTER/ACCOUNT", Short: "Store an account's secret in place of the one before", Args: accountArgs,
		ValidArgsFunction: completeAdapters("/"),
		Long: "Asks for each field on the terminal, without showing what is typed. When standard input is no terminal it reads lines\n" +
			"NAME=VALUE from it. Secrets are never taken from the command line, where every process could read them.\n" +
			"A running server takes up the change at once.",
		Example: "  byline vault put wiki/agent-01\n  byline vault put tracker/agent-01 --field token\n" +
			"  printf 'username=agent-01\\npassword=%s\\n' \"$(cat /run/secrets/wiki)\" | byline vault put wiki/agent-01"}
	c.Flags().StringArrayVar(&names, "field", nil, "name of a field to ask for, repeatable (default username, password and totp_seed, which may stay empty)")
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, n := range names {
			if !fieldName.MatchString(n) {
				return errors.New("--field takes the name of a field, like password; its value is asked for") // n could be a value: it is not repeated
			}
		}
		adapter, account, _ := accountOf(args) // accountArgs looked
		file, cfg, err := openVault(c)
		if err != nil {
			return err
		}
		secret, err := readSecret(c.ErrOrStderr(), os.Stdin, names)
		if err != nil {
			return cli.Failed("vault", err, "give lines NAME=VALUE on standard input, or use a terminal")
		}
		if err := file.Put(adapter, account, vault.NewSecret(secret)); err != nil {
			return cli.Failed("vault", err, "")
		}
		fmt.Fprintf(c.OutOrStdout(), "stored %s/%s: %s\n", cli.Clean(adapter), cli.Clean(account), strings.Join(slices.Sorted(maps.Keys(secret)), ", "))
		warnUnknown(c, cfg, adapter)
		return nil
	}
	return c
}

// warnUnknown tells of a name that no adapter has, which may be a slip or an
// adapter to come.
func warnUnknown(c *cobra.Command, cfg *configs.Config, name string) {
	var unread load.Problems
	set := load.Adapters(cfg.Adapters.Dir, &unread)
	if set != nil && set.ByName(name) == nil {
		fmt.Fprintf(c.ErrOrStderr(), "byline: warning: no adapter in %s is named %s\n", cfg.Adapters.Dir, cli.Clean(name))
	}
}

// stored is an account as vault list shows it.
type stored struct {
	vault.Entry
	Store string `json:"store"` // file or environment
}

func vaultList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List accounts and the names of their fields", Args: cobra.NoArgs, Example: "  byline vault list\n  byline vault list --json"}
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		file, cfg, err := openVault(c)
		if err != nil {
			return err
		}
		entries, err := file.List()
		if err != nil {
			return cli.Failed("vault", err, "")
		}
		all := []stored{}
		for _, e := range entries {
			all = append(all, stored{e, "file"})
		}
		if cfg.Vault.Env {
			all = append(all, inEnvironment(cfg)...)
		}
		if *asJSON {
			return cli.WriteJSON(c.OutOrStdout(), all)
		}
		var rows [][]string
		for _, s := range all {
			rows = append(rows, []string{s.Adapter, s.Account, strings.Join(s.Fields, ", "), s.Store})
		}
		return cli.Table(c.OutOrStdout(), []string{"ADAPTER", "ACCOUNT", "FIELDS", "STORE"}, rows)
	}
	return c
}

// inEnvironment lists what the environment holds for the adapters that there
// are; its variables tell nothing of others.
func inEnvironment(cfg *configs.Config) (all []stored) {
	var unread load.Problems
	set := load.Adapters(cfg.Adapters.Dir, &unread)
	if set == nil {
		return nil
	}
	for _, a := range set.All() {
		accounts, _ := vault.Env{}.Accounts(context.Background(), a.Name()) // it never fails
		for _, account := range accounts {
			if s, err := (vault.Env{}).Secret(context.Background(), a.Name(), account); err == nil {
				all = append(all, stored{vault.Entry{Adapter: a.Name(), Account: account, Fields: s.Fields()}, "environment"})
			}
		}
	}
	slices.SortFunc(all, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
	})
	return all
}

func vaultRemove() *cobra.Command {
	return &cobra.Command{Use: "rm ADAPTER/ACCOUNT", Short: "Forget an account's secret", Args: accountArgs, Example: "  byline vault rm wiki/agent-01",
		ValidArgsFunction: completeAccounts,
		RunE: func(c *cobra.Command, args []string) error {
			adapter, account, _ := accountOf(args)
			file, _, err := openVault(c)
			if err != nil {
				return err
			}
			if err := file.Remove(adapter, account); err != nil {
				return cli.Failed("vault", fmt.Errorf("%s/%s: %w", cli.Clean(adapter), cli.Clean(account), err), "byline vault list shows what there is")
			}
			fmt.Fprintf(c.OutOrStdout(), "removed %s/%s\n", cli.Clean(adapter), cli.Clean(account))
			return nil
		}}
}

// accountOf reads an account's name, written as records write it,
// wiki/agent-01, or as two words.
func accountOf(args []string) (adapter, account string, ok bool) {
	switch len(args) {
	case 1:
		adapter, account, ok = strings.Cut(args[0], "/")
	case 2:
		adapter, account, ok = args[0], args[1], true
	}
	return adapter, account, ok && adapter != "" && account != ""
}

func accountArgs(_ *cobra.Command, args []string) error {
	if _, _, ok := accountOf(args); !ok {
		return errors.New("name the account as ADAPTER/ACCOUNT, like wiki/agent-01") // a secret may stand there by mistake: it is not repeated
	}
	return nil
}

func openVault(c *cobra.Command) (*vault.File, *configs.Config, error) {
	cfg, err := load.Settings(c)
	if err != nil {
		return nil, nil, err
	}
	key, err := vault.LoadKey(cfg.Vault)
	if err != nil {
		return nil, nil, cli.Failed("vault", err, "byline init makes a key")
	}
	file, err := vault.OpenFile(cfg.Vault.File, key)
	if err != nil {
		return nil, nil, cli.Failed("vault", err, "")
	}
	return file, cfg, nil
}
