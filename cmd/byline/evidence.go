package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/evidence"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/audit"
)

func evidenceCommand() *cobra.Command {
	var from, to, out, key string
	var withoutLog bool
	var proofs int
	c := &cobra.Command{Use: "evidence", Short: "Write a folder that an assessor can read and verify", Args: cobra.NoArgs,
		Long: "Verifies the log and writes a report (HTML, no network), OSCAL assessment results, the records with what proves them, the\n" +
			"public keys, the adapters' interim statements, and the map from practices (CMMC, NIST SP 800-171, OWASP, NIST AI RMF) to\n" +
			"figures, with what is not covered. Exit code 1 when the log does not verify; the report then says so on its first page.",
		Example: "  byline evidence --from 2026-10-01 --to 2026-11-01 --out evidence-2026-10\n  byline evidence --from 30d --out evidence --without-log"}
	f := c.Flags()
	f.StringVar(&from, "from", "30d", "beginning: 2026-10-01, 2026-10-01T08:00:00Z, or how long ago, like 30d")
	f.StringVar(&to, "to", "", "end, in the same forms (default: now)")
	f.StringVar(&out, "out", "", "folder to write; new or empty")
	f.BoolVar(&withoutLog, "without-log", false, "leave the log itself out: records of other periods are in it too")
	f.IntVar(&proofs, "proofs", 10_000, "write a proof for each record up to so many; beyond that for tasks, alerts, reviews and privileged requests alone")
	f.StringVar(&key, "key", "", "file with the log's public key (default: beside audit.key_file of the configuration)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if out == "" {
			return errors.New("--out must name the folder to write")
		}
		cfg, err := load.Settings(c)
		if err != nil {
			return err
		}
		flags := load.RecordFlags{Dir: cfg.Audit.Dir, Since: from, Until: to}
		records, period, err := flags.Open(c)
		if err != nil {
			return err
		}
		if period.To.IsZero() {
			period.To = time.Now().UTC()
		}
		e, err := gather(c, cfg, records, period, key)
		if err != nil {
			return err
		}
		e.WholeLog, e.Proofs, e.Progress = !withoutLog, proofs, cli.ReadingBar("proving the records")
		files, err := e.Write(out, records)
		if err != nil {
			return cli.Failed("evidence", err, "name a new folder with --out")
		}
		fmt.Fprintf(c.OutOrStdout(), "written: %s in %s; read %s first\n", cli.Counted(len(files), "file"), out, filepath.Join(out, "report.html"))
		if e.Verified != "" {
			return cli.Failed("evidence", errors.New(e.Verified), "byline audit verify says where; the report says so on its first page")
		}
		return nil
	}
	return c
}

// gather reads and counts everything that the folder is written from.
func gather(c *cobra.Command, cfg *configs.Config, records reports.Records, period reports.Period, named string) (*evidence.Export, error) {
	if named == "" {
		named = cfg.Audit.KeyFile + ".pub"
	}
	pub, err := publicKey(c, named)
	if err != nil {
		return nil, err
	}
	keyText, err := os.ReadFile(named)
	if err != nil {
		return nil, cli.Failed("evidence", err, "name the public key that byline init wrote with --key")
	}
	e := &evidence.Export{Instance: cfg.Instance, Version: builtVersion().Version, Made: time.Now().UTC(), Log: cfg.Audit.Dir,
		Keys: map[string][]byte{"audit.key.pub": keyText}}
	if e.Report, err = audit.Verify(cfg.Audit.Dir, pub, cli.ReadingBar("verifying the log")); err != nil {
		e.Verified = err.Error()
	}
	if e.Figures, err = evidence.Count(records, period); err != nil {
		return nil, cli.Failed("evidence", err, "byline audit verify says what is wrong with the record")
	}
	if e.Review, err = reports.MakeReview(records, period); err != nil {
		return nil, cli.Failed("evidence", err, "")
	}
	if e.Borrowed, err = reports.Borrowed(records, period, false); err != nil {
		return nil, cli.Failed("evidence", err, "")
	}
	for _, b := range e.Borrowed {
		e.Figures.Borrowed++
		if len(b.Agents) > 1 {
			e.Figures.Shared++
		}
	}
	e.Adapters, err = interimStatements(c, cfg)
	return e, err
}

func interimStatements(c *cobra.Command, cfg *configs.Config) (all []evidence.Adapter, err error) {
	var found load.Problems
	set := load.Adapters(cfg.Adapters.Dir, &found)
	if len(found) > 0 {
		return nil, load.Refused(c, found)
	}
	for _, a := range set.All() {
		i := a.Interim()
		view := evidence.Adapter{Name: a.Name(), Digest: a.Digest(), Hosts: a.Hosts(), Reason: i.Reason, Owner: i.Owner, ReviewBy: i.ReviewBy, Overdue: a.Overdue(time.Now())}
		for _, action := range a.Actions() {
			view.Actions = append(view.Actions, evidence.Action{Name: action.Name, Privileged: action.Privileged, Login: action.Login})
		}
		all = append(all, view)
	}
	return all, nil
}
