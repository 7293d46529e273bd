package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/proxy/audit"
)

func auditCommand() *cobra.Command {
	a := &cobra.Command{Use: "audit", Short: "Verify and read the record", Example: "  byline audit verify\n  byline audit tail -f", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("audit: name one of verify, tail, show, prove and borrowed")
		}}
	a.AddCommand(auditVerify(), auditTail(), auditShow(), auditBorrowed())
	return a
}

// auditDir is the folder that was named, or the configuration's.
func auditDir(c *cobra.Command, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	cfg, err := settings(c)
	if err != nil {
		return "", err
	}
	return cfg.Audit.Dir, nil
}

func dirFlag(c *cobra.Command) *string {
	return c.Flags().String("dir", "", "folder of the log (default: audit.dir of the configuration)")
}

// keyFlag names the public key; see publicKey.
func keyFlag(c *cobra.Command) *string {
	return c.Flags().String("key", "", "file with the log's public key, or the key itself (default: beside audit.key_file of the configuration)")
}

// publicKey reads the key that was named, or the configuration's.
func publicKey(c *cobra.Command, named string) (audit.PublicKey, error) {
	if named == "" {
		cfg, err := settings(c)
		if err != nil {
			return audit.PublicKey{}, err
		}
		named = cfg.Audit.KeyFile + ".pub"
	}
	if _, err := os.Stat(named); err != nil {
		if key, err := audit.ParsePublicKey(named); err == nil {
			return key, nil
		}
	}
	key, err := audit.LoadPublicKey(named)
	if err != nil {
		return key, failed("audit", err, "name the public key that byline init wrote (audit.key.pub) with --key")
	}
	return key, nil
}

// auditFailed gives an error of the log its remedy.
func auditFailed(err error) error {
	hint := ""
	switch {
	case errors.Is(err, audit.ErrBroken):
		hint = "keep the folder as it is, stop relying on records from that one on, and compare with a copy or a kept checkpoint"
	case errors.Is(err, audit.ErrNoRecord):
		hint = "the id is in the answer's Byline-Record field, and byline audit tail lists ids; another log is named with --dir"
	case errors.Is(err, os.ErrNotExist):
		hint = "name the folder that holds the log's seg-*.jsonl files"
	}
	return &failure{err, hint, 1}
}

// outputFailed is an error of writing to standard output.
func outputFailed(err error) error {
	if err == nil {
		return nil
	}
	return failed("output", fmt.Errorf("write: %w", err), "")
}
