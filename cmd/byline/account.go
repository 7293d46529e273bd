package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

func accountCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "account",
		Short:   "List the accounts of the vault with their state; allow a login",
		Example: "  byline account list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("account: name one of list and retry")
		},
	}
	c.AddCommand(accountListCommand(), accountRetryCommand())
	return c
}

func accountListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the accounts: who holds them, and with which no login is tried",
		Args:    cobra.NoArgs,
		Example: "  byline account list\n  byline account list --json | jq '.[] | select(.state == \"needs_person\")'",
	}
	askControl(c, listAccountStates, func([]string) (request, error) {
		return request{http.MethodGet, client.AccountsPath, nil}, nil
	})
	return c
}

func accountRetryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "retry ADAPTER/ACCOUNT",
		Short: "Allow a login now, once what made the last ones fail is settled",
		Long: "Allow a login with an account now: it ends a back-off, the state needs_person, and a quarantine.\n" +
			"Log in by hand first and see to what the application asks for, such as a new password.\n" +
			"An account is in quarantine after an agent sent one of its secrets: change the secret first,\n" +
			"in the application and with byline vault put.",
		Args:    cobra.ExactArgs(1),
		Example: "  byline account retry wiki/agent-01",

		ValidArgsFunction: completeAccounts,
	}
	askControl(c, showAccount, func(args []string) (request, error) {
		adapter, account, ok := strings.Cut(args[0], "/")
		if !ok || adapter == "" || account == "" {
			return request{}, errors.New("account retry: write ADAPTER/ACCOUNT, as byline account list does")
		}
		return request{http.MethodPost, client.RetryPath(adapter, account), nil}, nil
	})
	return c
}

// listAccountStates writes a line for each account.
func listAccountStates(w io.Writer, answer []byte, _ *configs.Config) error {
	var all []admin.Account
	if err := json.Unmarshal(answer, &all); err != nil {
		return err
	}

	var rows [][]string
	for _, a := range all {
		rows = append(rows, []string{a.Adapter + "/" + a.Account, formatAccountState(&a), a.Task, a.Why})
	}
	return cli.Table(w, []string{"ACCOUNT", "STATE", "TASK", "WHY"}, rows)
}

func showAccount(w io.Writer, answer []byte, _ *configs.Config) error {
	var a admin.Account
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	return cli.Table(w, []string{"account", a.Adapter + "/" + a.Account}, [][]string{{"state", formatAccountState(&a)}})
}

// formatAccountState returns the state in words, with the end of a back-off.
func formatAccountState(a *admin.Account) string {
	state := strings.ReplaceAll(a.State, "_", " ")
	if a.Until != nil {
		state += " until " + a.Until.UTC().Format(time.RFC3339)
	}
	return state
}
