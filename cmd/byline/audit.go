package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/proxy/audit"
)

// hintVerify is the remedy of reports whose record cannot be read.
const hintVerify = "byline audit verify shows what is wrong with the record"

func auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "audit",
		Short:   "Verify and read the record",
		Example: "  byline audit verify\n  byline audit tail -f",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("audit: name one of verify, tail, show, prove, tiles, rotate, archive, accept-rollback and borrowed")
		},
	}
	c.AddCommand(
		auditVerifyCommand(),
		auditTailCommand(),
		auditShowCommand(),
		auditProveCommand(),
		auditTilesCommand(),
		auditRotateCommand(),
		auditArchiveCommand(),
		auditAcceptRollbackCommand(),
		auditBorrowedCommand(),
	)
	return c
}

func logDirFlag(c *cobra.Command) *[]string {
	return c.Flags().StringArray("dir", nil, load.DirUsage)
}

// logFolders returns the folders of the log: named, or those of the configuration if
// none is named.
func logFolders(c *cobra.Command, named []string) (audit.Folders, error) {
	if len(named) > 0 {
		return named, nil
	}
	cfg, err := load.Config(c)
	if err != nil {
		return nil, err
	}
	return cfg.Audit.Folders(), nil
}

// auditFailed gives an error of package audit its remedy. The text of err already begins
// with what failed.
func auditFailed(err error) error {
	hint := cli.HintOf(err)
	switch {
	case errors.Is(err, audit.ErrBroken):
		hint = "keep the folder as it is, do not rely on records from that one on, and compare with a copy or a kept checkpoint; after a restore that you know of, see byline audit accept-rollback --help"
	case errors.Is(err, audit.ErrNotSealed):
		hint = "wait for the next checkpoint (audit.checkpoint_every), and ask again"
	case errors.Is(err, audit.ErrNotWitnessed):
		hint = "the log itself is whole; the server's log says why a witness has not signed"
	case errors.Is(err, audit.ErrSegmentsElsewhere):
		hint = "name every folder of the log, that of the server and those to which segments were moved, or set audit.archive"
	case errors.Is(err, audit.ErrNoRecord):
		hint = "the id is in the answer's Byline-Record field, and byline audit tail lists ids; another log is named with --dir"
	case errors.Is(err, os.ErrNotExist):
		hint = "name the folder that holds the log's seg-*.jsonl files"
	}
	return &cli.Failure{Err: err, Hint: hint, Code: 1}
}
