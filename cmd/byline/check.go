package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/server"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and everything that it names, without starting anything",
		Args:  cobra.NoArgs,
		Long: "Reads configuration, adapters, policies, keys and certificates as byline serve would, and lists all problems of all\n" +
			"files at once.",
		Example: "  byline check --config /etc/byline/byline.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := server.Prepare(c)
			if err != nil {
				return err
			}

			_, err = fmt.Fprintf(c.OutOrStdout(), "ok: %s, %s passed through\n",
				cli.Plural(len(p.Rules.Adapters.All()), "adapter"), cli.Plural(len(p.Rules.PassThrough), "host"))
			return cli.OutputFailed(err)
		},
	}
}
