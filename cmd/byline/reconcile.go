package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	exports []string // files; - is standard input; none: the history is read from the application
	format  string   // of the exports; empty: by each file's name
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
			"--export: CSV, JSON lines, or text that log.line of the adapter reads.\n\n" +
			"The exit code is 0 only if the record explains every entry of the accounts. It is 1 if somebody used an account outside\n" +
			"Byline, and if something keeps the comparison from saying so: user names that fit nobody, entries of no kind, lines that\n" +
			"cannot be read, a log that is empty or not of the period, a wrong time zone. With --json, verdict is clear, outside or doubt.",
		Example: "  byline reconcile --adapter wiki --since 24h --sponsor alice@acme.example\n" +
			"  byline reconcile --adapter wiki --since 30d --export history.csv --json\n" +
			"  byline reconcile --adapter tracker --since 2026-11-01 --export audit.log.1.gz --export audit.log --format text",
	}
	var f reconcileFlags
	f.record.Add(c, "24h")
	c.Flags().StringVar(&f.adapter, "adapter", "", "the adapter of the application")
	_ = c.RegisterFlagCompletionFunc("adapter", completeAdapters("")) // fails only for an unknown flag
	c.Flags().StringVar(&f.host, "host", "", "host at which to read (default: the adapter's first)")
	c.Flags().StringVar(&f.sponsor, "sponsor", "", "on whose behalf it is read; needed without --export")
	c.Flags().StringArrayVar(&f.exports, "export", nil, "read the history from this file (- is stdin; .gz is unpacked) instead of the application; repeatable")
	c.Flags().StringVar(&f.format, "format", "", "format of the exports: csv (with a heading), jsonl or text (default: text if the adapter has log.line, otherwise by the file's name)")
	c.Flags().StringArrayVar(&f.users, "user", nil, "ACCOUNT=USERNAME, if the vault does not say so; repeatable, also for one account")
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
		if err != nil || result.Verdict == reports.VerdictClear {
			return err
		}
		first := result.Findings[0]
		return cli.Failed("reconcile", errors.New(first.What), first.Remedy)
	}
	return c
}

// check completes the flags. Its errors are wrong usage.
func (f *reconcileFlags) check() error {
	if f.adapter == "" {
		return errors.New("--adapter must be given")
	}
	if len(f.exports) == 0 && f.sponsor == "" {
		return errors.New("--sponsor must be given: the history is read in a task, and a task has a sponsor; or read an --export")
	}
	switch f.format {
	case "", reports.FormatCSV, reports.FormatJSONLines, reports.FormatText:
	default:
		return fmt.Errorf("--format %q is neither csv nor jsonl nor text", f.format)
	}
	for _, pair := range f.users {
		account, name, ok := strings.Cut(pair, "=")
		if !ok || account == "" || name == "" {
			return fmt.Errorf("--user %q: write it like agent-01=Agent One", pair)
		}
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

	records, period, err := f.record.OpenBeyond(c, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	if period.To.IsZero() {
		period.To = time.Now().UTC()
	}
	users, unreadable := f.userNames(c.Context(), cfg)

	r := reports.NewReconciler(a, period, users)
	if unreadable != nil && len(f.users) == 0 {
		r.AddFinding("accounts_unknown", "the vault cannot be read, so accounts that no record of the period names are not known: "+unreadable.Error(),
			"run the command as a user who can read the vault, or name every account with --user ACCOUNT=NAME")
	}
	if err := r.ReadRecords(records); err != nil {
		return nil, cli.Failed("reconcile", err, hintVerify)
	}

	if len(f.exports) > 0 {
		err = f.readExports(c, a, r.History())
	} else {
		err = f.readApplication(c, cfg, a, period, r.History())
	}
	if err != nil {
		return nil, err
	}
	if len(f.exports) == 0 { // the login that read the history may be in the history
		if err := r.ReadRecords(records); err != nil {
			return nil, cli.Failed("reconcile", err, hintVerify)
		}
	}
	return r.Finish(len(f.exports) == 0), nil
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

// userNames maps the adapter's accounts to their names in the application's log: what
// --user says, otherwise what the vault says, as far as this user can read it: log_name,
// and otherwise username. An account with neither has its own name there. The error is
// why not all accounts are known.
func (f *reconcileFlags) userNames(ctx context.Context, cfg *configs.Config) (map[string][]string, error) {
	users := map[string][]string{}
	for _, pair := range f.users { // check has read them
		account, name, _ := strings.Cut(pair, "=")
		users[account] = append(users[account], name)
	}

	key, err := vault.LoadKey(cfg.Vault)
	if err != nil {
		return users, err
	}
	stores, err := vault.Open(cfg.Vault, key)
	if err != nil {
		return users, err
	}
	accounts, err := stores.Accounts(ctx, f.adapter)
	if err != nil {
		return users, err
	}
	for _, account := range accounts {
		if users[account] != nil {
			continue
		}
		secret, failed := stores.Secret(ctx, f.adapter, account)
		if failed != nil {
			users[account], err = nil, failed
			continue
		}
		users[account] = nil
		for _, field := range []string{"log_name", "username"} {
			if name, ok := secret.Reveal(field); ok && name != "" {
				users[account] = []string{name}
				break
			}
		}
	}
	return users, err
}

// readExports reads the history from files or standard input.
func (f *reconcileFlags) readExports(c *cobra.Command, a *adapters.Adapter, h *reports.History) error {
	log := a.History()
	for _, path := range f.exports {
		format := f.formatOf(path, h.Reader().IsText())
		if format == reports.FormatText && !h.Reader().IsText() {
			return cli.Failed("reconcile", fmt.Errorf("the adapter %s does not say how lines of text are read", a.Name()), "add log.line to the adapter")
		}

		in, size, err := openExport(path)
		if err != nil {
			return cli.Failed("reconcile", err, "name the export with --export")
		}
		step, remove := cli.Progress(c.ErrOrStderr(), "reading "+cli.Printable(path))
		counted := &countingReader{ctx: c.Context(), in: in, total: size, step: step}
		err = readPacked(counted, path, format, log.Entry.Time, h)
		remove()
		in.Close()
		if err != nil {
			return cli.Failed("reconcile", fmt.Errorf("%s: %w", path, err), "the adapter's log section names the columns")
		}
	}
	return nil
}

// formatOf returns the format of an export.
func (f *reconcileFlags) formatOf(path string, isText bool) string {
	name := strings.TrimSuffix(path, ".gz")
	switch {
	case f.format != "":
		return f.format
	case isText:
		return reports.FormatText
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"), strings.HasSuffix(name, ".json"):
		return reports.FormatJSONLines
	}
	return reports.FormatCSV
}

// openExport opens a file or standard input. The size is -1 if it is not known.
func openExport(path string) (io.ReadCloser, int64, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), -1, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return file, -1, nil
	}
	return file, info.Size(), nil
}

// readPacked reads an export that may be packed by gzip.
func readPacked(in io.Reader, path, format, timeColumn string, h *reports.History) error {
	if strings.HasSuffix(path, ".gz") {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		defer unpacked.Close()
		in = unpacked
	}
	return reports.ReadExport(in, filepath.Base(path), format, timeColumn, h)
}

// countingReader tells step how much was read. It ends with ctx.
type countingReader struct {
	ctx         context.Context
	in          io.Reader
	done, total int64
	step        func(done, total int64) // may be nil
}

// Read implements io.Reader.
func (c *countingReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.in.Read(b)
	c.done += int64(n)
	if c.step != nil {
		c.step(c.done, c.total)
	}
	return n, err
}
