package main

import (
	"cmp"
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

func auditTailCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tail",
		Short: "List the last records",
		Args:  cobra.NoArgs,
		Long: "Lists the last records, oldest first, and with -f also those that follow, until it is interrupted. With --json it\n" +
			"writes each record as it is in the log, one a line. It reads the folder, so it works with a running server and without\n" +
			"one.",
		Example: "  byline audit tail\n  byline audit tail -f\n  byline audit tail -n 1000 --json | jq 'select(.kind == \"refusal\")'",
	}
	var n int
	c.Flags().IntVarP(&n, "lines", "n", 10, "how many records")
	var follow bool
	c.Flags().BoolVarP(&follow, "follow", "f", false, "continue with the records that follow")
	dir := logDirFlag(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		if n < 0 {
			return errors.New("audit tail: -n takes a number from 0")
		}
		from, err := logFolders(c, *dir)
		if err != nil {
			return err
		}

		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()

		write := writeRecordLine
		if *asJSON {
			write = writeRecordJSON
		}
		for r, err := range from.Tail(ctx, n, follow) {
			if err != nil {
				return auditFailed(err)
			}
			if err := write(c.OutOrStdout(), &r); err != nil {
				return cli.OutputFailed(err)
			}
		}
		return nil
	}
	return c
}

// writeRecordJSON writes the line of the log.
func writeRecordJSON(w io.Writer, r *audit.Record) error {
	_, err := w.Write(append(r.Line(), '\n'))
	return err
}

// writeRecordLine writes a record in one line for people.
func writeRecordLine(w io.Writer, r *audit.Record) error {
	line := fmt.Sprintf("%s  %-28s  %-10s  %-28s  %s",
		r.Time.UTC().Format(time.RFC3339),
		cli.Printable(r.ID),
		cli.Printable(r.Kind),
		cli.Printable(cmp.Or(r.Task, "-")),
		cli.Printable(summarizeRecord(r)))
	_, err := fmt.Fprintln(w, strings.TrimRight(line, " "))
	return err
}

// summarizeRecord says in a few words what the record says.
func summarizeRecord(r *audit.Record) string {
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
	if !strings.HasPrefix(r.Detail, r.Code+":") {
		add(r.Code)
	}
	if r.Account != "" {
		add("as " + r.Account)
	}
	add(r.Detail)
	return strings.Join(words, " ")
}
