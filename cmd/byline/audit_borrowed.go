package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
)

func auditBorrowedCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "borrowed",
		Short: "List people's sessions that were found in agents' traffic",
		Args:  cobra.NoArgs,
		Long: "Lists each borrowed session by the keyed fingerprint of its first cookie: whose it is, as far as the session says so (nobody has\n" +
			"verified that), which agents sent it where, when first and last. Every such session should be ended at the application\n" +
			"and taken away from the agent. --all adds whatever else was removed because no adapter calls it harmless.",
		Example: "  byline audit borrowed --since 30d\n  byline audit borrowed --json | jq '.[] | select(.agents | length > 1)'",
	}
	var from load.RecordFlags
	from.Add(c, "")
	var all bool
	c.Flags().BoolVar(&all, "all", false, "also what is not known to be a credential")
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		records, period, err := from.Open(c)
		if err != nil {
			return err
		}
		found, err := reports.Borrowed(records, period, all)
		if err != nil {
			return cli.Failed("audit", err, hintVerify)
		}
		return cli.Print(c, *asJSON, found, func(w io.Writer) error { return listBorrowed(w, found, period) })
	}
	return c
}

func listBorrowed(w io.Writer, found []reports.Sighting, period reports.Period) error {
	if len(found) == 0 {
		_, err := fmt.Fprintf(w, "no borrowed session was seen in %s\n", period)
		return err
	}

	now := time.Now()
	var rows [][]string
	for _, b := range found {
		rows = append(rows, []string{
			fmt.Sprintf("%.12s", strings.TrimPrefix(b.Fingerprint, "hmac-sha256:")),
			cmp.Or(strings.Join(b.Persons, ", "), "unknown"),
			strings.Join(b.Names, ", "),
			strings.Join(b.Adapters, ", "),
			strings.Join(b.Agents, ", "),
			strings.Join(b.Sponsors, ", "),
			strconv.Itoa(b.Times),
			cli.RelativeTime(b.First, now),
			cli.RelativeTime(b.Last, now),
		})
	}
	return cli.Table(w, []string{"FINGERPRINT", "PERSON", "FOUND IN", "ADAPTER", "AGENTS", "SPONSORS", "REQUESTS", "FIRST", "LAST"}, rows)
}
