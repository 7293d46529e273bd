package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
)

func auditBorrowed() *cobra.Command {
	var from load.RecordFlags
	var all bool
	c := &cobra.Command{Use: "borrowed", Short: "List people's sessions that were found in agents' traffic", Args: cobra.NoArgs,
		Long: "Lists each borrowed session by its keyed fingerprint: whose it is, as far as the session itself says so (nobody has\n" +
			"verified that), which agents carried it where, when first and last. Every such session should be ended at the application\n" +
			"and taken away from the agent. --all adds whatever else was left behind because no adapter calls it harmless.",
		Example: "  byline audit borrowed --since 30d\n  byline audit borrowed --json | jq '.[] | select(.agents | length > 1)'"}
	from.Add(c, "")
	c.Flags().BoolVar(&all, "all", false, "also what is not known for a credential")
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		records, period, err := from.Open(c)
		if err != nil {
			return err
		}
		found, err := reports.Borrowed(records, period, all)
		if err != nil {
			return cli.Failed("audit", err, "byline audit verify tells what is wrong with the record")
		}
		if *asJSON {
			return cli.WriteJSON(c.OutOrStdout(), found)
		}
		if len(found) == 0 {
			fmt.Fprintf(c.OutOrStdout(), "no borrowed session was seen in %s\n", period)
			return nil
		}
		var rows [][]string
		now := time.Now()
		for _, b := range found {
			rows = append(rows, []string{fmt.Sprintf("%.12s", strings.TrimPrefix(b.Fingerprint, "hmac-sha256:")), cli.Or(strings.Join(b.Persons, ", "), "unknown"), strings.Join(b.Names, ", "),
				strings.Join(b.Adapters, ", "), strings.Join(b.Agents, ", "), strings.Join(b.Sponsors, ", "), fmt.Sprint(b.Times), cli.When(b.First, now), cli.When(b.Last, now)})
		}
		return cli.Table(c.OutOrStdout(), []string{"FINGERPRINT", "PERSON", "FOUND IN", "ADAPTER", "AGENTS", "SPONSORS", "REQUESTS", "FIRST", "LAST"}, rows)
	}
	return c
}
