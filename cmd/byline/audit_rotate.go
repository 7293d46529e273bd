package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func auditRotate() *cobra.Command {
	return &cobra.Command{Use: "rotate", Short: "Let another key sign the record from now on", Args: cobra.NoArgs,
		Long: "Makes a new signing key. A running server takes it up within seconds, without a restart; else the next start does. The old\n" +
			"key signs a record that announces the new one, so whoever holds the old public key verifies on. The new public key is added\n" +
			"to the file beside audit.key_file: hand it out again, and give it to the witnesses.",
		Example: "  byline audit rotate",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load.Settings(c)
			if err != nil {
				return err
			}
			if err := journal.MakeNextKey(cfg.Audit.KeyFile); err != nil {
				return cli.Failed("audit", err, "a key that was made before waits for a server to take it up: start one, or remove the .next file")
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "made: the server takes it up within seconds, or when it starts; then %s.pub holds its public key, too\n", cfg.Audit.KeyFile)
			return cli.OutputFailed(err)
		}}
}
