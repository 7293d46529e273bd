package main

import (
	"errors"
	"fmt"
	"io"
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
	c := &cobra.Command{
		Use:     "vault",
		Short:   "Keep the secrets of compensating accounts",
		Example: "  byline vault list",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return errors.New("vault: name one of put, list and rm") },
	}
	c.AddCommand(vaultPutCommand(), vaultListCommand(), vaultRemoveCommand())
	return c
}

func vaultPutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:               "put ADAPTER/ACCOUNT",
		Short:             "Store an account's secret, replacing the one before",
		Args:              checkAccountArgs,
		ValidArgsFunction: completeAdapters("/"),
		Long: "Asks on the terminal for each field that the adapter's login needs, without showing what is typed. If standard input is\n" +
			"not a terminal, it reads lines NAME=VALUE from it, such as username=agent-01 and password=..., and warns of a field that\n" +
			"the login needs and none of them gives. Secrets are never taken from the command line, where every process could read them.\n" +
			"A running server uses the change at once.\n\n" +
			"A secret that can be guessed is refused: a short number, a common word, the account's name. An agent that makes the\n" +
			"application repeat a list of guesses would see which one Byline masks. Let the application set another one. If it takes\n" +
			"no other, --allow-guessable stores it all the same.\n\n" +
			"The field log_name is no secret: it is the account's name in the application's log, for byline reconcile, if that is not\n" +
			"the user name.",
		Example: "  byline vault put wiki/agent-01\n  byline vault put tracker/agent-01 --field token\n" +
			"  printf 'username=agent-01\\npassword=%s\\n' \"$(cat /run/secrets/wiki)\" | byline vault put wiki/agent-01",
	}
	var names []string
	c.Flags().StringArrayVar(&names, "field", nil, "name of a field to ask for, repeatable (default: those that the adapter's login needs)")

	allowGuessable := c.Flags().Bool("allow-guessable", false, "store a secret that can be guessed, and warn")

	c.RunE = func(c *cobra.Command, args []string) error {
		for _, n := range names {
			if !fieldName.MatchString(n) {
				// n may be a value by mistake, so it is not repeated.
				return errors.New("--field takes the name of a field, like password; its value is asked for")
			}
		}
		adapter, account, _ := parseAccount(args) // checkAccountArgs accepted them

		file, cfg, err := openVaultFile(c)
		if err != nil {
			return err
		}
		needed := neededFields(cfg, adapter)
		secret, err := readSecret(c.ErrOrStderr(), os.Stdin, names, needed)
		if err != nil {
			return cli.Failed("vault", err, "give lines NAME=VALUE on standard input, or use a terminal")
		}
		if problems := guessableFields(adapter, account, secret); problems != nil {
			why := strings.Join(problems, "; ")
			if !*allowGuessable {
				return cli.Failed("vault", errors.New(why), "set another one at the application, or store it with --allow-guessable: an agent can then find it out by its mask")
			}
			fmt.Fprintln(c.ErrOrStderr(), "byline: warning:", why)
		}
		if err := file.Put(adapter, account, vault.NewSecret(secret)); err != nil {
			return cli.Failed("vault", err, "")
		}

		fmt.Fprintf(c.OutOrStdout(), "stored %s/%s: %s\n", cli.Printable(adapter), cli.Printable(account),
			strings.Join(slices.Sorted(maps.Keys(secret)), ", "))
		warnUnknownAdapter(c, cfg, adapter)
		warnMissingFields(c, adapter, secret, needed)
		return nil
	}
	return c
}

// neededFields are the fields that the login of an adapter needs; none if the adapter is not
// known.
func neededFields(cfg *configs.Config, name string) []string {
	a := adapterByName(load.ReadableAdapters(cfg), name)
	if a == nil {
		return nil
	}
	return a.SecretFields()
}

// warnMissingFields warns of fields without which the login of the adapter will fail.
func warnMissingFields(c *cobra.Command, adapter string, secret map[string]string, needed []string) {
	var missing []string
	for _, name := range needed {
		if secret[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "byline: warning: the login of %s also needs %s; store all fields again with those\n",
			cli.Printable(adapter), strings.Join(missing, ", "))
	}
}

// warnUnknownAdapter warns if no adapter has the name: it may be a typo, or an adapter that
// is still to be written.
func warnUnknownAdapter(c *cobra.Command, cfg *configs.Config, name string) {
	all := load.ReadableAdapters(cfg)
	if all != nil && adapterByName(all, name) == nil {
		fmt.Fprintf(c.ErrOrStderr(), "byline: warning: no adapter in %s is named %s\n", cfg.Adapters.Dir, cli.Printable(name))
	}
}

func vaultListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List accounts and the names of their fields",
		Args:    cobra.NoArgs,
		Example: "  byline vault list\n  byline vault list --json",
	}
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, key, err := loadVaultKey(c)
		if err != nil {
			return err
		}
		stores, err := vault.Open(cfg.Vault, key)
		if err != nil {
			return cli.Failed("vault", err, "")
		}

		var adapters []string
		for _, a := range load.ReadableAdapters(cfg) {
			adapters = append(adapters, a.Name())
		}
		entries, err := stores.Entries(c.Context(), adapters)
		if err != nil {
			return cli.Failed("vault", err, "")
		}
		return cli.Print(c, *asJSON, entries, func(w io.Writer) error { return listAccounts(w, entries) })
	}
	return c
}

func listAccounts(w io.Writer, entries []vault.Entry) error {
	var rows [][]string
	for _, e := range entries {
		rows = append(rows, []string{e.Adapter, e.Account, strings.Join(e.Fields, ", "), e.Store})
	}
	return cli.Table(w, []string{"ADAPTER", "ACCOUNT", "FIELDS", "STORE"}, rows)
}

func vaultRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rm ADAPTER/ACCOUNT",
		Short:             "Remove an account's secret",
		Args:              checkAccountArgs,
		Example:           "  byline vault rm wiki/agent-01",
		ValidArgsFunction: completeAccounts,
		RunE: func(c *cobra.Command, args []string) error {
			adapter, account, _ := parseAccount(args) // checkAccountArgs accepted them
			file, _, err := openVaultFile(c)
			if err != nil {
				return err
			}

			if err := file.Remove(adapter, account); err != nil {
				return cli.Failed("vault", fmt.Errorf("%s/%s: %w", cli.Printable(adapter), cli.Printable(account), err),
					"byline vault list shows the accounts")
			}
			fmt.Fprintf(c.OutOrStdout(), "removed %s/%s\n", cli.Printable(adapter), cli.Printable(account))
			return nil
		},
	}
}

// parseAccount reads an account's name: wiki/agent-01, as records spell it, or two words.
func parseAccount(args []string) (adapter, account string, ok bool) {
	switch len(args) {
	case 1:
		adapter, account, _ = strings.Cut(args[0], "/")
	case 2:
		adapter, account = args[0], args[1]
	}
	return adapter, account, adapter != "" && account != ""
}

// checkAccountArgs accepts arguments that name an account. Its error does not repeat
// them: a secret may be among them by mistake.
func checkAccountArgs(_ *cobra.Command, args []string) error {
	if _, _, ok := parseAccount(args); !ok {
		return errors.New("name the account as ADAPTER/ACCOUNT, like wiki/agent-01")
	}
	return nil
}

// openVaultFile opens the vault's file, the store in which secrets can be changed.
func openVaultFile(c *cobra.Command) (*vault.File, *configs.Config, error) {
	cfg, key, err := loadVaultKey(c)
	if err != nil {
		return nil, nil, err
	}
	file, err := vault.OpenFile(cfg.Vault.File, key)
	if err != nil {
		return nil, nil, cli.Failed("vault", err, "")
	}
	return file, cfg, nil
}

func loadVaultKey(c *cobra.Command) (*configs.Config, vault.Key, error) {
	cfg, err := load.Config(c)
	if err != nil {
		return nil, vault.Key{}, err
	}
	key, err := vault.LoadKey(cfg.Vault)
	if err != nil {
		return nil, vault.Key{}, cli.Failed("vault", err, "byline init makes a key")
	}
	return cfg, key, nil
}
