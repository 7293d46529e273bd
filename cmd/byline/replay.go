package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
)

func replayCommand() *cobra.Command {
	var from load.RecordFlags
	var dir string
	c := &cobra.Command{Use: "replay", Short: "Decide recorded requests again under other policies", Args: cobra.NoArgs,
		Long: "Runs the recorded requests of a period, each with its own task's scope and at its own time, against the policies in a\n" +
			"folder, and lists every decision that would be another one. Exit code 0 also when there are such decisions.",
		Example: "  byline replay --policies candidate.d --since 7d\n  byline replay --policies candidate.d --json | jq '.changes[] | select(.would == \"deny\")'"}
	from.Add(c, "7d")
	c.Flags().StringVar(&dir, "policies", "", "folder with the candidate *.cedar files (default: those in force)")
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var found load.Problems
		if dir == "" {
			cfg, err := load.Settings(c)
			if err != nil {
				return err
			}
			dir = cfg.Policy.Dir
		}
		candidate := load.Policies(dir, nil, &found)
		if len(found) > 0 {
			return load.Refused(c, found)
		}
		records, period, err := from.Open(c)
		if err != nil {
			return err
		}
		out, err := reports.Replay(records, period, candidate)
		if err != nil {
			return cli.Failed("replay", err, "byline audit verify tells what is wrong with the record")
		}
		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), out)
		} else {
			err = showReplay(c.OutOrStdout(), out)
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		return nil
	}
	return c
}

func showReplay(w io.Writer, r *reports.Replayed) error {
	times := 0
	for _, c := range r.Changes {
		times += c.Times
	}
	fmt.Fprintf(w, "%s of %s decided again, %d skipped (no action or no recorded scope): %d would be decided otherwise\n",
		cli.Counted(r.Requests, "request"), r.Period, r.Skipped, times)
	if len(r.Changes) == 0 {
		return nil
	}
	var rows [][]string
	for _, c := range r.Changes {
		rows = append(rows, []string{fmt.Sprint(c.Times), c.Was + " → " + c.Would, c.Adapter + ":" + c.Action, c.Resource, c.Agent, strings.Join(c.Policies, ", "), c.Record})
	}
	return cli.Table(w, []string{"TIMES", "DECISION", "ACTION", "RESOURCE", "AGENT", "BY", "FIRST RECORD"}, rows)
}
