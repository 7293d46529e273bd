package main

import (
	"errors"
	"fmt"
	"io"
	"os"
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
	record                                 load.RecordFlags
	adapter, host, sponsor, export, format string
	users                                  []string
}

func reconcileCommand() *cobra.Command {
	var f reconcileFlags
	c := &cobra.Command{Use: "reconcile", Short: "Set an application's own history beside the record", Args: cobra.NoArgs,
		Long: "Reads the application's history and joins each entry of a compensating account with the request that caused it, by account,\n" +
			"time, action and resource. What is left over in the application means that somebody used the account outside Byline.\n\n" +
			"The history is read through the proxy, in a task of its own, as the adapter's log section says; or from an export with\n" +
			"--export. Exit code 1 when somebody used an account outside Byline.",
		Example: "  byline reconcile --adapter wiki --since 24h --sponsor alice@acme.example\n" +
			"  byline reconcile --adapter wiki --since 30d --export history.csv --json"}
	f.record.Add(c, "24h")
	fl := c.Flags()
	fl.StringVar(&f.adapter, "adapter", "", "whose history it is")
	fl.StringVar(&f.host, "host", "", "host to read it at (default: the adapter's first)")
	fl.StringVar(&f.sponsor, "sponsor", "", "on whose behalf it is read; needed without --export")
	fl.StringVar(&f.export, "export", "", "read the history from this file (- is stdin) in place of the application")
	fl.StringVar(&f.format, "format", "", "of the export: csv (with a heading) or jsonl (default: by the file's name)")
	fl.StringArrayVar(&f.users, "user", nil, "ACCOUNT=USERNAME, when the vault does not say so; repeatable")
	asJSON := cli.JSONFlag(c)
	client.Flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		out, err := f.reconcile(c)
		if err != nil {
			return err
		}
		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), out)
		} else {
			err = showReconciliation(c.OutOrStdout(), out)
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		if n := len(out.ApplicationOnly); n > 0 {
			return cli.Failed("reconcile", fmt.Errorf("%s of the application came from no request of ours", cli.Counted(n, "entry")),
				"change the password of the accounts named above, and find out who has it")
		}
		return nil
	}
	return c
}

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

func (f *reconcileFlags) reconcile(c *cobra.Command) (*reports.Reconciliation, error) {
	cfg, err := load.Settings(c)
	if err != nil {
		return nil, err
	}
	var found load.Problems
	set := load.Adapters(cfg.Adapters.Dir, &found)
	if len(found) > 0 {
		return nil, load.Refused(c, found)
	}
	a := set.ByName(f.adapter)
	switch {
	case a == nil:
		return nil, cli.Failed("reconcile", fmt.Errorf("there is no adapter %q", f.adapter), "byline adapter list shows what there is")
	case !a.HasHistory():
		return nil, cli.Failed("reconcile", fmt.Errorf("the adapter %s does not say how the application's history is read", f.adapter), "add a log section: docs/adapters.md")
	}
	records, period, err := f.record.Open(c)
	if err != nil {
		return nil, err
	}
	if period.To.IsZero() {
		period.To = time.Now().UTC()
	}
	users, err := f.userNames(c, cfg)
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
	out, err := reports.Reconcile(records, period, a, users, entries)
	if err != nil {
		return nil, cli.Failed("reconcile", err, "byline audit verify tells what is wrong with the record")
	}
	return out, nil
}

// userNames maps the adapter's accounts to their names at the application: what
// the vault says, as far as it can be read here, then what --user says.
func (f *reconcileFlags) userNames(c *cobra.Command, cfg *configs.Config) (map[string]string, error) {
	users := map[string]string{}
	if key, err := vault.LoadKey(cfg.Vault); err == nil {
		if store, err := vault.Open(cfg.Vault, key); err == nil {
			accounts, _ := store.Accounts(cli.Background(c), f.adapter) // none: each goes by its own name
			for _, account := range accounts {
				users[account] = account
				if secret, err := store.Secret(cli.Background(c), f.adapter, account); err == nil {
					if name, ok := secret.Reveal("username"); ok {
						users[account] = name
					}
				}
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
	fmt.Fprintf(w, "%s, %s\n", cli.Clean(r.Adapter), r.Period)
	skew := fmt.Sprintf("%s ahead of ours (median of %s, spread %s)", r.Skew.Ahead.Round(time.Millisecond), cli.Counted(r.Skew.Samples, "pair"), r.Skew.Spread.Round(time.Millisecond))
	if r.Skew.Samples < 3 {
		skew = "unknown (too few pairs); taken to be ours"
	}
	err := cli.Table(w, []string{"matched", fmt.Sprint(len(r.Matched))}, [][]string{
		{"record only", fmt.Sprint(len(r.RecordOnly))},
		{"application only", fmt.Sprint(len(r.ApplicationOnly))},
		{"entries of other users", fmt.Sprint(r.Others)},
		{"application's clock", skew},
		{"times agree within", r.Tolerance.String()},
	})
	if err == nil && len(r.ApplicationOnly) > 0 {
		fmt.Fprintln(w, "\napplication only: somebody used the account outside Byline")
		var rows [][]string
		for _, e := range r.ApplicationOnly {
			rows = append(rows, []string{e.Time.Format(time.DateTime), e.User, strings.Join(e.Actions, " or "), e.Resource, e.ID})
		}
		err = cli.Table(w, []string{"TIME", "USER", "ACTION", "RESOURCE", "ENTRY"}, rows)
	}
	if err == nil && len(r.RecordOnly) > 0 {
		fmt.Fprintln(w, "\nrecord only: the request changed nothing, or its entry is missing")
		var rows [][]string
		for _, a := range r.RecordOnly {
			rows = append(rows, []string{a.Began.Format(time.DateTime), a.Account, a.Action, a.Resource, fmt.Sprint(a.Status), a.Record})
		}
		err = cli.Table(w, []string{"TIME", "ACCOUNT", "ACTION", "RESOURCE", "STATUS", "RECORD"}, rows)
	}
	return err
}
