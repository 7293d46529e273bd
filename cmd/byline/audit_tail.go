package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/audit"
)

func auditTail() *cobra.Command {
	var n int
	var follow bool
	c := &cobra.Command{Use: "tail", Short: "List the last records", Args: cobra.NoArgs,
		Long:    "Lists the last records, oldest first, and with -f those that come, until it is interrupted. With --json it writes each\nrecord as it lies in the log, one a line. It reads the folder, so it works beside a running server and without one.",
		Example: "  byline audit tail\n  byline audit tail -f\n  byline audit tail -n 1000 --json | jq 'select(.kind == \"refusal\")'"}
	c.Flags().IntVarP(&n, "lines", "n", 10, "how many records")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with the records that come")
	dir, asJSON := dirFlag(c), cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if n < 0 {
			return errors.New("audit tail: -n takes a number from 0")
		}
		from, err := auditDir(c, *dir)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		write := writeLine
		if *asJSON {
			write = func(w io.Writer, r *audit.Record) error { _, err := w.Write(append(r.Line(), '\n')); return err }
		}
		for r, err := range audit.Tail(ctx, from, n, follow) {
			if err != nil {
				return auditFailed(err)
			}
			if err := cli.OutputFailed(write(c.OutOrStdout(), &r)); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// writeLine is a record in one line, for people.
func writeLine(w io.Writer, r *audit.Record) error {
	_, err := fmt.Fprintf(w, "%s  %-28s  %-10s  %-28s  %s\n", r.Time.UTC().Format(time.RFC3339), cli.Clean(r.ID), cli.Clean(r.Kind), cli.Clean(cli.Or(r.Task, "-")), cli.Clean(gist(r)))
	return err
}

// gist is what a record says, at one look.
func gist(r *audit.Record) string {
	var words []string
	add := func(s string) {
		if s != "" {
			words = append(words, s)
		}
	}
	add(r.Adapter)
	add(r.Action)
	add(r.Resource)
	if r.Action == "" {
		add(strings.TrimSpace(r.Method + " " + r.Host + r.Path))
	}
	if r.Status != 0 {
		add(strconv.Itoa(r.Status))
	}
	add(r.Code)
	if r.Account != "" {
		add("as " + r.Account)
	}
	add(r.Detail)
	return strings.Join(words, " ")
}
