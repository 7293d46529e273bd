package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/audit"
)

func auditShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show RECORD",
		Short: "Show a record, what it came of and what came of it",
		Args:  cobra.ExactArgs(1),

		ValidArgsFunction: completeRecords,

		Long: "Shows the record with that id, and in order of time what it came of and what came of it: the task's beginning and end, the\n" +
			"lease on the account with its logins, intent and outcome, refusals of the same request, alerts, and whether the server was\n" +
			"stopped or crashed meanwhile. It reads the folder and does not check the chain; byline audit verify does.",
		Example: "  byline audit show r_01jd7v3w8yq2m4n6p8r0s2t4v6\n  byline audit show r_01jd7v3w8yq2m4n6p8r0s2t4v6 --json",
	}
	dir := logDirFlag(c)
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		from, err := logFolders(c, *dir)
		if err != nil {
			return err
		}
		related, err := from.FindRelated(args[0])
		if err != nil {
			return auditFailed(err)
		}
		return cli.Print(c, *asJSON, related, func(w io.Writer) error { return showRelated(w, &related) })
	}
	return c
}

// showRelated writes the record, and below it what happened before and after it, in
// order of time.
func showRelated(w io.Writer, s *audit.RelatedRecords) error {
	if err := cli.Table(w, []string{"record", s.Record.ID}, recordRows(&s.Record)); err != nil {
		return err
	}

	var rows [][]string
	for i := range s.Events {
		e := &s.Events[i]
		what := tellEvent(e, s)
		if e.ID == s.Record.ID {
			what += " (this record)"
		}
		rows = append(rows, []string{e.At().UTC().Format("2006-01-02T15:04:05.000Z"), e.Kind, e.ID, what})
	}
	if len(rows) == 0 {
		return nil
	}
	if why := whyNoOutcome(s); why != "" {
		rows = append(rows, []string{"", "", "", why})
	}

	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return cli.Table(w, []string{"IN ORDER OF TIME", "KIND", "RECORD", "WHAT HAPPENED"}, rows)
}

// recordRows lists the members of a record that are not empty.
func recordRows(r *audit.Record) [][]string {
	var rows [][]string
	add := func(name, value string) {
		if value != "" && value != "0" {
			rows = append(rows, []string{name, value})
		}
	}

	add("seq", fmt.Sprintf("#%d", r.Seq))
	add("time", r.Time.UTC().Format(time.RFC3339Nano))
	add("kind", r.Kind)
	add("instance", r.Instance)
	add("agent", r.Agent)
	add("sponsor", r.Sponsor)
	add("task", r.Task)
	add("grant", r.Grant)
	add("adapter", r.Adapter)
	add("adapter digest", r.AdapterDigest)
	add("policy digest", r.PolicyDigest)
	add("action", r.Action)
	add("resource", r.Resource)
	add("request", strings.TrimSpace(r.Method+" "+r.Host+r.Path))

	for _, s := range r.Stripped {
		add("stripped", s.In+" "+s.Name+" ("+s.Fingerprint+")")
	}
	add("account", r.Account)
	add("lease", r.Lease)
	add("decision", strings.TrimSpace(r.Decision.Effect+" "+strings.Join(r.Decision.Policies, ", ")))

	add("intent", r.Intent)
	add("status", strconv.Itoa(r.Status))
	add("bytes up", strconv.FormatInt(r.BytesUp, 10))
	add("bytes down", strconv.FormatInt(r.BytesDown, 10))
	if r.DurationUS != 0 {
		add("duration", (time.Duration(r.DurationUS) * time.Microsecond).String())
	}
	add("code", r.Code)
	add("detail", r.Detail)

	add("checkpoint", strings.ReplaceAll(r.Checkpoint, "\n", " | "))
	add("hash of the line before", r.Prev)
	return rows
}
