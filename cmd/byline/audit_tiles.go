package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/audit"
)

func auditTiles() *cobra.Command {
	c := &cobra.Command{Use: "tiles OUT", Short: "Write the log as tlog-tiles, for public tools", Args: cobra.ExactArgs(1),
		Long: "Writes the folder OUT in the form of C2SP tlog-tiles: checkpoint, hash tiles and entry bundles, which any server of files\n" +
			"can serve and any client of such logs reads. OUT holds the records themselves: serve it only to who may read them. The\n" +
			"next call goes on where this one ended.",
		Example: "  byline audit tiles /srv/audit-tiles\n  byline audit tiles --dir /mnt/evidence/audit tiles"}
	dir, asJSON := dirFlag(c), cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		log, err := auditDir(c, *dir)
		if err != nil {
			return err
		}
		step, done := cli.Progress(c.ErrOrStderr(), "writing tiles")
		cp, err := audit.Export(log, args[0], step)
		done()
		if err != nil {
			return auditFailed(err)
		}
		if *asJSON {
			return cli.OutputFailed(cli.WriteJSON(c.OutOrStdout(), cp))
		}
		return cli.OutputFailed(cli.Table(c.OutOrStdout(), []string{"origin", cp.Origin}, [][]string{{"records", strconv.FormatUint(cp.Size, 10)}, {"root", cp.Root}, {"folder", args[0]}}))
	}
	return c
}
