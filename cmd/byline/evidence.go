package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/evidence"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/audit"
)

// evidenceFlags say what the folder of evidence holds.
type evidenceFlags struct {
	from, to   string
	out        string
	withoutLog bool
	proofs     int
	key        string
}

func evidenceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "evidence [FOLDER...]",
		Short: "Write a folder that an assessor can read and verify",
		Long: "Verifies the log and writes a report (HTML, no network), OSCAL assessment results, the records with their proofs, the\n" +
			"public keys, the adapters' interim statements, and a map from practices (CMMC, NIST SP 800-171, OWASP, NIST AI RMF) to\n" +
			"figures, with what is not covered. Exit code 1 if the log does not verify; the report then says so on its first page.\n\n" +
			"The log is that of the configuration, with audit.archive, or the folders that are named: that of the server, and those\n" +
			"to which byline audit archive moved segments.",
		Example: "  byline evidence --from 2026-10-01 --to 2026-11-01 --out evidence-2026-10\n" +
			"  byline evidence --from 30d --out evidence --without-log\n" +
			"  byline evidence --from 400d --out evidence /var/lib/byline/audit /mnt/archive/byline",
	}
	var flags evidenceFlags
	f := c.Flags()
	f.StringVar(&flags.from, "from", "30d", "beginning: 2026-10-01, 2026-10-01T08:00:00Z, or how long ago, like 30d")
	f.StringVar(&flags.to, "to", "", "end, in the same forms (default: now)")
	f.StringVar(&flags.out, "out", "", "folder to write; new or empty")
	f.BoolVar(&flags.withoutLog, "without-log", false, "leave the log itself out: it also holds records of other periods")
	f.IntVar(&flags.proofs, "proofs", 10_000,
		"up to this number of records, write a proof for each; above it only for tasks, alerts, reviews and privileged requests")
	asJSON := cli.JSONFlag(c)
	f.StringVar(&flags.key, "key", "", "file with the log's public key (default: next to audit.key_file of the configuration)")

	c.RunE = func(c *cobra.Command, args []string) error {
		if flags.out == "" {
			return errors.New("--out must name the folder to write")
		}
		return writeEvidence(c, args, flags, *asJSON)
	}
	return c
}

// writeEvidence writes the folder about the log in the named folders, by default those of
// the configuration. A log that does not verify is an error only after
// everything is written: the folder then shows it.
func writeEvidence(c *cobra.Command, named []string, flags evidenceFlags, asJSON bool) error {
	cfg, err := load.Config(c)
	if err != nil {
		return err
	}
	log, err := logFolders(c, named)
	if err != nil {
		return err
	}
	from := load.RecordFlags{Dirs: log, Since: flags.from, Until: flags.to}
	records, period, err := from.Open(c)
	if err != nil {
		return err
	}
	if period.To.IsZero() {
		period.To = time.Now().UTC()
	}

	e, err := gatherEvidence(c, cfg, log, records, period, flags.key)
	if err != nil {
		return err
	}
	e.WholeLog = !flags.withoutLog
	e.Proofs = flags.proofs
	step, removeBar := cli.Progress(c.ErrOrStderr(), "proving the records")
	e.Progress = step
	files, err := e.Write(flags.out, records)
	removeBar()
	switch {
	case errors.Is(err, audit.ErrSegmentsElsewhere):
		return cli.Failed("evidence", err, "name every folder of the log, like byline evidence --out "+flags.out+" "+strings.Join(log, " ")+" /mnt/archive/byline, or set audit.archive")
	case err != nil:
		return cli.Failed("evidence", err, "name a new folder with --out")
	}

	view := evidenceView{Folder: flags.out, Verified: e.Verified == "", Why: e.Verified, Records: e.Report.Records, Files: files}
	err = cli.Print(c, asJSON, view, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "written: %s in %s; read %s first\n",
			cli.Plural(len(files), "file"), flags.out, filepath.Join(flags.out, "report.html"))
		return err
	})
	if err != nil {
		return err
	}
	if e.Verified != "" {
		return cli.Failed("evidence", errors.New(e.Verified), "byline audit verify says where; the report says so on its first page")
	}
	return nil
}

// evidenceView is what was written, in JSON.
type evidenceView struct {
	Folder   string          `json:"folder"`
	Verified bool            `json:"verified"`      // whether the log verifies
	Why      string          `json:"why,omitempty"` // it does not
	Records  uint64          `json:"records"`       // in the log
	Files    []evidence.File `json:"files"`
}

// gatherEvidence reads and counts everything that the folder is made from.
func gatherEvidence(c *cobra.Command, cfg *configs.Config, log audit.Folders, records reports.Records, period reports.Period, keyFile string) (*evidence.Export, error) {
	if keyFile == "" {
		keyFile = cfg.Audit.KeyFile + ".pub"
	}
	keys, err := readPublicKeys(c, keyFile)
	if err != nil {
		return nil, err
	}
	keyText, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, cli.Failed("evidence", err, hintPublicKey)
	}

	e := &evidence.Export{
		Instance: cfg.Instance,
		Version:  builtVersion().Version,
		Made:     time.Now().UTC(),
		Log:      log,
		Keys:     map[string][]byte{"audit.key.pub": keyText},
	}

	step, removeBar := cli.Progress(c.ErrOrStderr(), "verifying the log")
	e.Report, err = e.Log.Verify(keys[0], audit.VerifyOptions{Keys: keys[1:], Progress: step})
	removeBar()
	if err != nil {
		e.Verified = err.Error()
	}

	e.Figures, err = evidence.Count(records, period)
	if err != nil {
		return nil, cli.Failed("evidence", err, hintVerify)
	}
	e.Review, err = reports.MakeReview(records, period)
	if err != nil {
		return nil, cli.Failed("evidence", err, hintVerify)
	}
	e.Borrowed, err = reports.Borrowed(records, period, false)
	if err != nil {
		return nil, cli.Failed("evidence", err, hintVerify)
	}
	for _, b := range e.Borrowed {
		e.Figures.Borrowed++
		if len(b.Agents) > 1 {
			e.Figures.Shared++
		}
	}

	var found load.Problems
	set := load.Adapters(cfg, &found)
	if len(found) > 0 {
		return nil, found.Report(c.ErrOrStderr())
	}
	for _, a := range set.All() {
		e.Adapters = append(e.Adapters, interimStatement(a))
	}
	return e, nil
}

// interimStatement says why the adapter exists, who owns it and until when.
func interimStatement(a *adapters.Adapter) evidence.Adapter {
	interim := a.Interim()
	statement := evidence.Adapter{
		Name:     a.Name(),
		Digest:   a.Digest(),
		Hosts:    a.Hosts(),
		Reason:   interim.Reason,
		Owner:    interim.Owner,
		ReviewBy: interim.ReviewBy,
		Overdue:  a.Overdue(time.Now()),

		Exceptions: a.Exceptions(),
	}
	for _, action := range a.NamedActions() {
		statement.Actions = append(statement.Actions, evidence.Action{
			Name:       action.Name,
			Privileged: action.Privileged,
			Login:      action.Login,
		})
	}
	return statement
}
