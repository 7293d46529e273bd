package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/oplog"
	"github.com/byline-proxy/byline/cmd/byline/internal/server"
)

// serveName is the name of the command whose standard error is the operator's log.
const serveName = "serve"

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   serveName,
		Short: "Run the proxy and its control API",
		Args:  cobra.NoArgs,
		Long: "Checks all files as byline check does, then serves agents and operators until SIGTERM or SIGINT. Exchanges in flight may\n" +
			"then finish within the drain time; a second signal cuts them. Changed adapters and policies are put in force within\n" +
			"seconds, or at SIGHUP; while one of them has a problem, the set before stays in force and the log lists the problems.\n\n" +
			"Standard error is the operator's log. Unless log.format is text, each of its lines is one JSON object, from the first on;\n" +
			"before the configuration is read, a terminal gets text.",
		Example: "  byline serve\n  byline serve --config /etc/byline/byline.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			p, format, err := server.PrepareToServe(c)
			if err == nil {
				err = server.Serve(c.Context(), p, c.Flag("config").Value.String(), c.ErrOrStderr())
			}
			return asLogLine(c, format, err)
		},
	}
}

// asLogLine writes the error of byline serve to its log, if that is in JSON, and
// returns what is left to be said.
func asLogLine(c *cobra.Command, format string, err error) error {
	f, ok := errors.AsType[*cli.Failure](err)
	if !ok || f.Err == nil || !oplog.IsJSON(format, c.ErrOrStderr()) {
		return err
	}
	oplog.Failure(c.ErrOrStderr(), err, f.Hint)
	return &cli.Failure{Code: f.Code}
}
