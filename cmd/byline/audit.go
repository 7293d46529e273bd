package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/proxy/audit"
)

func auditCommand() *cobra.Command {
	a := &cobra.Command{Use: "audit", Short: "Verify and read the record", Example: "  byline audit verify\n  byline audit tail -f", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("audit: name one of verify, tail, show, prove, tiles, rotate and borrowed")
		}}
	a.AddCommand(auditVerify(), auditTail(), auditShow(), auditProve(), auditTiles(), auditRotate(), auditBorrowed())
	return a
}

// auditDir is the folder that was named, or the configuration's.
func auditDir(c *cobra.Command, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	cfg, err := load.Settings(c)
	if err != nil {
		return "", err
	}
	return cfg.Audit.Dir, nil
}

func dirFlag(c *cobra.Command) *string {
	return c.Flags().String("dir", "", "folder of the log (default: audit.dir of the configuration)")
}

// auditFailed gives an error of the log its remedy.
func auditFailed(err error) error {
	hint := ""
	switch {
	case errors.Is(err, audit.ErrBroken):
		hint = "keep the folder as it is, stop relying on records from that one on, and compare with a copy or a kept checkpoint"
	case errors.Is(err, audit.ErrNotSealed):
		hint = "wait for the next checkpoint (audit.checkpoint_every), and ask again"
	case errors.Is(err, audit.ErrNotWitnessed):
		hint = "the log itself is whole; the server's log says why a witness has not signed"
	case errors.Is(err, audit.ErrNoRecord):
		hint = "the id is in the answer's Byline-Record field, and byline audit tail lists ids; another log is named with --dir"
	case errors.Is(err, os.ErrNotExist):
		hint = "name the folder that holds the log's seg-*.jsonl files"
	}
	return &cli.Failure{Err: err, Hint: hint, Code: 1}
}
