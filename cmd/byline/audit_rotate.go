package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func auditRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Let another key sign the record from now on",
		Args:  cobra.NoArgs,
		Long: "Makes a new signing key. A running server takes it over within seconds, without a restart; otherwise the next start\n" +
			"does. The old key signs a record that announces the new one, so everybody who holds the old public key can verify what\n" +
			"follows. The new public key is added to the file next to audit.key_file: distribute it again, and give it to the witnesses.",
		Example: "  byline audit rotate",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load.Config(c)
			if err != nil {
				return err
			}

			if err := journal.CreateNextKey(cfg.Audit.KeyFile); err != nil {
				return cli.Failed("audit", err, "a key that was made before waits for a server to take it over: start one, or remove the .next file")
			}

			_, err = fmt.Fprintf(c.OutOrStdout(), "made: the server takes it over within seconds, or when it starts; then %s.pub holds its public key, too\n",
				cfg.Audit.KeyFile)
			return cli.OutputFailed(err)
		},
	}
}
