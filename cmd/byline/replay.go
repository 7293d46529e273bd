package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
)

func replayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay",
		Short: "Decide recorded requests again under other policies",
		Args:  cobra.NoArgs,
		Long: "Decides the recorded requests of a period again, each with the scope of its task and at the time it was made, under the\n" +
			"policies in a folder, and lists every decision that would be different. Exit code 0 also if there are such decisions.",
		Example: "  byline replay --policies candidate.d --since 7d\n" +
			"  byline replay --policies candidate.d --json | jq '.changes[] | select(.would == \"deny\")'",
	}
	var from load.RecordFlags
	from.Add(c, "7d")
	var dir string
	c.Flags().StringVar(&dir, "policies", "", "folder with the candidate *.cedar files (default: those in force)")
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		if dir == "" {
			cfg, err := load.Config(c)
			if err != nil {
				return err
			}
			dir = cfg.Policy.Dir
		}
		var found load.Problems
		candidate := load.Policies(dir, nil, &found)
		if len(found) > 0 {
			return found.Report(c.ErrOrStderr())
		}

		records, period, err := from.Open(c)
		if err != nil {
			return err
		}
		result, err := reports.Replay(records, period, candidate)
		if err != nil {
			return cli.Failed("replay", err, hintVerify)
		}
		return cli.Print(c, *asJSON, result, func(w io.Writer) error { return showReplay(w, result) })
	}
	return c
}

func showReplay(w io.Writer, r *reports.Replayed) error {
	changed := 0
	for _, c := range r.Changes {
		changed += c.Times
	}
	_, err := fmt.Fprintf(w, "%s of %s decided again, %d skipped (no action or no recorded scope): %d would be decided differently\n",
		cli.Plural(r.Requests, "request"), r.Period, r.Skipped, changed)
	if err != nil || len(r.Changes) == 0 {
		return err
	}

	var rows [][]string
	for _, c := range r.Changes {
		rows = append(rows, []string{
			strconv.Itoa(c.Times),
			c.Was + " → " + c.Would,
			c.Adapter + ":" + c.Action,
			c.Resource,
			c.Agent,
			strings.Join(c.Policies, ", "),
			c.Record,
		})
	}
	return cli.Table(w, []string{"TIMES", "DECISION", "ACTION", "RESOURCE", "AGENT", "BY", "FIRST RECORD"}, rows)
}
