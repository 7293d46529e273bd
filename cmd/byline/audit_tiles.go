package main

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func auditTilesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tiles OUT",
		Short: "Write the log as tlog-tiles, for public tools",
		Args:  cobra.ExactArgs(1),
		Long: "Writes the folder OUT in the form of C2SP tlog-tiles: checkpoint, hash tiles and entry bundles, which any file server\n" +
			"can serve and any client of such logs reads. OUT holds the records themselves: serve it only to those who may read them.\n" +
			"The next call continues where this one ended.",
		Example: "  byline audit tiles /srv/audit-tiles\n  byline audit tiles --dir /mnt/evidence/audit tiles",
	}
	dir := logDirFlag(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		log, err := logFolders(c, *dir)
		if err != nil {
			return err
		}

		step, removeBar := cli.Progress(c.ErrOrStderr(), "writing tiles")
		cp, err := log.Export(args[0], step)
		removeBar()
		if err != nil {
			return auditFailed(err)
		}

		return cli.Print(c, *asJSON, cp, func(w io.Writer) error {
			return cli.Table(w, []string{"origin", cp.Origin}, [][]string{
				{"records", strconv.FormatUint(cp.Size, 10)},
				{"root", cp.Root},
				{"folder", args[0]},
			})
		})
	}
	return c
}
