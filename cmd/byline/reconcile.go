package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/vault"
)

// reconcileFlags say which application's history is read, and how.
type reconcileFlags struct {
	record  load.RecordFlags
	adapter string
	host    string
	sponsor string
	export  string   // file; - is standard input; empty: the history is read from the application
	format  string   // of the export: csv or jsonl
	users   []string // ACCOUNT=USERNAME
}

func reconcileCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare an application's history with the record",
		Args:  cobra.NoArgs,
		Long: "Reads the application's history and matches each entry of a compensating account with the request that caused it, by\n" +
			"account, time, action and resource. An entry without a request means that somebody used the account outside Byline.\n\n" +
			"The history is read through the proxy, in a separate task, as the adapter's log section says; or from an export with\n" +
			"--export. Exit code 1 if somebody used an account outside Byline.",
		Example: "  byline reconcile --adapter wiki --since 24h --sponsor alice@acme.example\n" +
			"  byline reconcile --adapter wiki --since 30d --export history.csv --json",
	}
	var f reconcileFlags
	f.record.Add(c, "24h")
	c.Flags().StringVar(&f.adapter, "adapter", "", "the adapter of the application")
	c.Flags().StringVar(&f.host, "host", "", "host at which to read (default: the adapter's first)")
	c.Flags().StringVar(&f.sponsor, "sponsor", "", "on whose behalf it is read; needed without --export")
	c.Flags().StringVar(&f.export, "export", "", "read the history from this file (- is stdin) instead of the application")
	c.Flags().StringVar(&f.format, "format", "", "format of the export: csv (with a heading) or jsonl (default: by the file's name)")
	c.Flags().StringArrayVar(&f.users, "user", nil, "ACCOUNT=USERNAME, if the vault does not say so; repeatable")
	asJSON := cli.JSONFlag(c)
	client.AddFlags(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		result, err := f.reconcile(c)
		if err != nil {
			return err
		}

		err = cli.Print(c, *asJSON, result, func(w io.Writer) error { return showReconciliation(w, result) })
		if err != nil {
			return err
		}
		if n := len(result.ApplicationOnly); n > 0 {
			return cli.Failed("reconcile", fmt.Errorf("%s of the application came from no request in the record", cli.Plural(n, "entry")),
				"change the password of the accounts named above, and find out who has it")
		}
		return nil
	}
	return c
}

// check completes the flags. Its errors are wrong usage.
func (f *reconcileFlags) check() error {
	if f.adapter == "" {
		return errors.New("--adapter must be given")
	}
	if f.export == "" && f.sponsor == "" {
		return errors.New("--sponsor must be given: the history is read in a task, and a task has a sponsor; or read an --export")
	}

	if f.format == "" {
		f.format = "csv"
		if strings.HasSuffix(f.export, ".jsonl") || strings.HasSuffix(f.export, ".ndjson") {
			f.format = "jsonl"
		}
	}
	if f.format != "csv" && f.format != "jsonl" {
		return fmt.Errorf("--format %q is neither csv nor jsonl", f.format)
	}
	return nil
}

// reconcile reads both sides and compares them.
func (f *reconcileFlags) reconcile(c *cobra.Command) (*reports.Reconciliation, error) {
	cfg, err := load.Config(c)
	if err != nil {
		return nil, err
	}
	a, err := f.readAdapter(c, cfg)
	if err != nil {
		return nil, err
	}

	records, period, err := f.record.Open(c)
	if err != nil {
		return nil, err
	}
	if period.To.IsZero() {
		period.To = time.Now().UTC()
	}
	users, err := f.userNames(c.Context(), cfg)
	if err != nil {
		return nil, err
	}

	var entries []adapters.HistoryEntry
	if f.export != "" {
		entries, err = f.readExport(a)
	} else {
		entries, err = f.readApplication(c, cfg, a, period)
	}
	if err != nil {
		return nil, err
	}

	result, err := reports.Reconcile(records, period, a, users, entries)
	if err != nil {
		return nil, cli.Failed("reconcile", err, hintVerify)
	}
	return result, nil
}

// readAdapter returns the adapter, which must say how the history is read.
func (f *reconcileFlags) readAdapter(c *cobra.Command, cfg *configs.Config) (*adapters.Adapter, error) {
	var found load.Problems
	set := load.Adapters(cfg, &found)
	if len(found) > 0 {
		return nil, found.Report(c.ErrOrStderr())
	}

	a := set.ByName(f.adapter)
	if a == nil {
		return nil, cli.Failed("reconcile", fmt.Errorf("there is no adapter %q", f.adapter), "byline adapter list shows the names")
	}
	if !a.HasHistory() {
		return nil, cli.Failed("reconcile", fmt.Errorf("the adapter %s does not say how the application's history is read", f.adapter),
			"add a log section: docs/adapters-reference.md")
	}
	return a, nil
}

// userNames maps the adapter's accounts to their names at the application: first what
// the vault says, as far as this user can read it, then what --user says. An account
// without a user name has its own name at the application.
func (f *reconcileFlags) userNames(ctx context.Context, cfg *configs.Config) (map[string]string, error) {
	users := map[string]string{}

	if key, err := vault.LoadKey(cfg.Vault); err == nil {
		stores, _ := vault.Open(cfg.Vault, key) // without stores there are no accounts
		accounts, _ := stores.Accounts(ctx, f.adapter)
		for _, account := range accounts {
			users[account] = account
			secret, err := stores.Secret(ctx, f.adapter, account)
			if err != nil {
				continue
			}
			if name, ok := secret.Reveal("username"); ok {
				users[account] = name
			}
		}
	}

	for _, pair := range f.users {
		account, name, ok := strings.Cut(pair, "=")
		if !ok || account == "" || name == "" {
			return nil, fmt.Errorf("--user %q: write it like agent-01=Agent One", pair)
		}
		users[account] = name
	}
	return users, nil
}

// readExport reads the history from a file or standard input.
func (f *reconcileFlags) readExport(a *adapters.Adapter) ([]adapters.HistoryEntry, error) {
	in := io.Reader(os.Stdin)
	if f.export != "-" {
		file, err := os.Open(f.export)
		if err != nil {
			return nil, cli.Failed("reconcile", err, "name the export with --export")
		}
		defer file.Close()
		in = file
	}

	log := a.History()
	entries, err := reports.ReadExport(in, f.format, &log)
	if err != nil {
		return nil, cli.Failed("reconcile", fmt.Errorf("%s: %w", f.export, err), "the adapter's log section names the columns")
	}
	return entries, nil
}

func showReconciliation(w io.Writer, r *reports.Reconciliation) error {
	if _, err := fmt.Fprintf(w, "%s, %s\n", cli.Printable(r.Adapter), r.Period); err != nil {
		return err
	}
	err := cli.Table(w, []string{"matched", strconv.Itoa(len(r.Matched))}, [][]string{
		{"record only", strconv.Itoa(len(r.RecordOnly))},
		{"application only", strconv.Itoa(len(r.ApplicationOnly))},
		{"entries of other users", strconv.Itoa(r.Others)},
		{"application's clock", clockText(&r.Skew)},
		{"times agree within", r.Tolerance.String()},
	})
	if err != nil {
		return err
	}

	if len(r.ApplicationOnly) > 0 {
		fmt.Fprintln(w, "\napplication only: somebody used the account outside Byline")
		var rows [][]string
		for _, e := range r.ApplicationOnly {
			rows = append(rows, []string{e.Time.Format(time.DateTime), e.User, strings.Join(e.Actions, " or "), e.Resource, e.ID})
		}
		if err := cli.Table(w, []string{"TIME", "USER", "ACTION", "RESOURCE", "ENTRY"}, rows); err != nil {
			return err
		}
	}

	if len(r.RecordOnly) > 0 {
		fmt.Fprintln(w, "\nrecord only: the request changed nothing, or its entry is missing")
		var rows [][]string
		for _, a := range r.RecordOnly {
			rows = append(rows, []string{a.Began.Format(time.DateTime), a.Account, a.Action, a.Resource, strconv.Itoa(a.Status), a.Record})
		}
		return cli.Table(w, []string{"TIME", "ACCOUNT", "ACTION", "RESOURCE", "STATUS", "RECORD"}, rows)
	}
	return nil
}

// clockText says how the application's clock differs from ours.
func clockText(s *reports.Skew) string {
	if s.Samples < reports.MinSkewSamples {
		return "unknown (too few pairs); assumed to agree with ours"
	}
	return fmt.Sprintf("%s ahead of ours (median of %s, spread %s)",
		s.Ahead.Round(time.Millisecond), cli.Plural(s.Samples, "pair"), s.Spread.Round(time.Millisecond))
}
