package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/admin"
)

func reviewCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "review",
		Short: "Compare what was approved with what was used, and suggest less",
		Args:  cobra.NoArgs,
		Long: "Reads the record and shows for each sponsor, agent and adapter: approved actions that were never used, refused attempts,\n" +
			"privileged use, how long accounts were held, and the smallest scope that permits everything that was used, tried on\n" +
			"every such request. --sign-off puts on record, with the review's digest, that the sponsor has read it.",
		Example: "  byline review --since 30d\n  byline review --since 2026-10-01 --until 2026-11-01 --sponsor alice@acme.example\n" +
			"  byline review --since 30d --sponsor alice@acme.example --sign-off alice@acme.example",
	}
	var from load.RecordFlags
	from.Add(c, "30d")
	var signOff, note, sponsor string
	c.Flags().StringVar(&sponsor, "sponsor", "", "only this sponsor")
	c.Flags().StringVar(&signOff, "sign-off", "", "the sponsor who has read it")
	c.Flags().StringVar(&note, "note", "", "a sentence to put on record with --sign-off")
	asJSON := cli.JSONFlag(c)
	client.AddFlags(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		if note != "" && signOff == "" {
			return errors.New("--note goes with --sign-off")
		}

		records, period, err := from.Open(c)
		if err != nil {
			return err
		}
		review, err := reports.MakeReview(records, period)
		if err != nil {
			return cli.Failed("review", err, hintVerify)
		}
		review.Only(sponsor)

		err = cli.Print(c, *asJSON, review, func(w io.Writer) error { return showReview(w, review) })
		if err != nil || signOff == "" {
			return err
		}
		return signReview(c, review, signOff, note)
	}
	return c
}

// signReview puts the sign-off on record. Its digest is that of the bytes that --json
// writes, so that a file which was kept can be shown to be the review that was signed.
func signReview(c *cobra.Command, review *reports.Review, sponsor, note string) error {
	var text bytes.Buffer
	if err := cli.WriteJSON(&text, review); err != nil {
		return cli.Failed("review", err, "")
	}

	control, _, err := client.Connect(c)
	if err != nil {
		return err
	}
	signed, err := control.SignReview(c.Context(), admin.SignOff{
		Sponsor: sponsor,
		From:    review.Period.From,
		To:      review.Period.To,
		Digest:  fmt.Sprintf("sha256:%x", sha256.Sum256(text.Bytes())),
		Note:    note,
	})
	if err != nil {
		return err
	}

	fmt.Fprintf(c.ErrOrStderr(), "signed off by %s: record %s\n", cli.Printable(sponsor), signed.Record)
	return nil
}

func showReview(w io.Writer, r *reports.Review) error {
	if _, err := fmt.Fprintf(w, "review of %s\n", r.Period); err != nil {
		return err
	}
	if len(r.Groups) == 0 {
		_, err := fmt.Fprintln(w, "no task did anything or was approved in this period")
		return err
	}

	for _, g := range r.Groups {
		fmt.Fprintf(w, "\n%s for %s at %s: %s, %s\n", cli.Printable(g.Agent), cli.Printable(g.Sponsor), cli.Printable(g.Adapter),
			cli.Plural(g.Tasks, "task"), cli.Plural(g.Requests, "request"))
		rows := reviewRows(g) // never empty: a group has something approved or used
		if err := cli.Table(w, rows[0], rows[1:]); err != nil {
			return err
		}
	}
	return nil
}

// reviewRows lists what a group approved, used and held. Only the first row of each
// kind has the label. A line is written once in its kind: tasks whose scopes overlap
// leave the same part unused.
func reviewRows(g *reports.Group) [][]string {
	var rows [][]string
	add := func(label string, lines ...string) {
		for i, line := range lines {
			if slices.Contains(lines[:i], line) {
				continue
			}
			rows = append(rows, []string{label, line})
			label = ""
		}
	}

	add("approved", g.Approved...)
	add("used", usedLines(g.Used)...)
	add("never used", g.Unused...)
	var refused, byBrowsers []string
	for _, u := range g.Refused {
		if u.Browser != "" {
			byBrowsers = append(byBrowsers, fmt.Sprintf("%s %d× %s", u.Browser, u.Times, u.Code))
			continue
		}
		refused = append(refused, strings.TrimSpace(fmt.Sprintf("%s %d× %s", u.Action, u.Times, u.Code)))
	}
	add("refused", refused...)
	add("browsers' own", byBrowsers...)
	var alerts []string
	for _, u := range g.Alerts {
		alerts = append(alerts, fmt.Sprintf("%s %d×", u.Code, u.Times))
	}
	add("alerts", alerts...)
	add("accounts held", heldLines(g.Accounts)...)

	add("suggested", g.Suggested...)
	if len(g.Suggested) > 0 {
		add("", fmt.Sprintf("tried on %s: %d refused", cli.Plural(g.Check.Requests, "distinct request"), g.Check.Refused))
	}
	return rows
}

// usedLines says how often each action was used, and on what.
func usedLines(used []reports.Use) []string {
	var lines []string
	for _, u := range used {
		line := fmt.Sprintf("%s %d×", u.Action, u.Times)
		if u.Privileged {
			line += ", privileged"
		}
		if len(u.Resources) > 0 {
			line += " on " + strings.Join(u.Resources, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}

// heldLines says how long each account was held.
func heldLines(accounts []reports.Held) []string {
	var lines []string
	for _, h := range accounts {
		line := fmt.Sprintf("%s %s in %s", h.Account, cli.Duration(h.Held.Round(time.Second)), cli.Plural(h.Leases, "lease"))
		if h.Open > 0 {
			line += fmt.Sprintf(", %d not checked in yet", h.Open)
		}
		lines = append(lines, line)
	}
	return lines
}
