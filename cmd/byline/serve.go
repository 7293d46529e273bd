package main

import (
	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/server"
)

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy and its control API",
		Args:  cobra.NoArgs,
		Long: "Checks all files as byline check does, then serves agents and operators until SIGTERM or SIGINT. Exchanges in flight may\n" +
			"then finish within the drain time; a second signal cuts them. Changed adapters and policies are put in force within\n" +
			"seconds, or at SIGHUP; while one of them has a problem, the set before stays in force and the log lists the problems.",
		Example: "  byline serve\n  byline serve --config /etc/byline/byline.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := server.Prepare(c)
			if err != nil {
				return err
			}
			return server.Serve(c.Context(), p, c.Flag("config").Value.String(), c.ErrOrStderr())
		},
	}
}
