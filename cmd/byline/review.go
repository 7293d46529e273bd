package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	var from load.RecordFlags
	var signOff, note, sponsor string
	c := &cobra.Command{Use: "review", Short: "Set what was approved beside what was used, and suggest less", Args: cobra.NoArgs,
		Long: "Reads the record and shows for each sponsor, agent and adapter: approved actions never used, refused attempts, privileged\n" +
			"use, how long accounts were held, and the smallest scope that permits all that was used, tried on every such request.\n" +
			"--sign-off puts on record, with the review's digest, that the sponsor has read it.",
		Example: "  byline review --since 30d\n  byline review --since 2026-10-01 --until 2026-11-01 --sponsor alice@acme.example\n" +
			"  byline review --since 30d --sponsor alice@acme.example --sign-off alice@acme.example"}
	from.Add(c, "30d")
	c.Flags().StringVar(&sponsor, "sponsor", "", "this sponsor alone")
	c.Flags().StringVar(&signOff, "sign-off", "", "the sponsor who has read it")
	c.Flags().StringVar(&note, "note", "", "a sentence to go on record with --sign-off")
	asJSON := cli.JSONFlag(c)
	client.Flags(c)
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
			return cli.Failed("review", err, "byline audit verify tells what is wrong with the record")
		}
		review.Only(sponsor)
		if *asJSON {
			err = cli.WriteJSON(c.OutOrStdout(), review)
		} else {
			err = showReview(c.OutOrStdout(), review)
		}
		if err != nil {
			return cli.Failed("output", err, "")
		}
		if signOff == "" {
			return nil
		}
		return signReview(c, review, signOff, note)
	}
	return c
}

// signReview puts the sign-off on record.
func signReview(c *cobra.Command, review *reports.Review, sponsor, note string) error {
	var text bytes.Buffer // the bytes that --json writes, so that a kept file can be told to be the one signed
	if err := cli.WriteJSON(&text, review); err != nil {
		return cli.Failed("review", err, "")
	}
	control, _, err := client.Reach(c)
	if err != nil {
		return err
	}
	out, err := control.Ask(cli.Background(c), http.MethodPost, "/v1/reviews", admin.SignOff{Sponsor: sponsor, From: review.Period.From, To: review.Period.To,
		Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(text.Bytes())), Note: note})
	if err != nil {
		return err
	}
	var signed admin.Signed
	if err := json.Unmarshal(out, &signed); err != nil {
		return cli.Failed("review", err, "")
	}
	fmt.Fprintf(c.ErrOrStderr(), "signed off by %s: record %s\n", cli.Clean(sponsor), signed.Record)
	return nil
}

func showReview(w io.Writer, r *reports.Review) error {
	fmt.Fprintf(w, "review of %s\n", r.Period)
	if len(r.Groups) == 0 {
		fmt.Fprintln(w, "no task of the period did anything or was approved in it")
	}
	for _, g := range r.Groups {
		fmt.Fprintf(w, "\n%s for %s at %s: %s, %s\n", cli.Clean(g.Agent), cli.Clean(g.Sponsor), cli.Clean(g.Adapter), cli.Counted(g.Tasks, "task"), cli.Counted(g.Requests, "request"))
		rows := reviewRows(g)
		if err := cli.Table(w, rows[0], rows[1:]); err != nil { // whoever is listed had something approved or used
			return err
		}
	}
	return nil
}

func reviewRows(g *reports.Group) (rows [][]string) {
	list := func(label string, lines []string) {
		for i, l := range lines {
			if i > 0 {
				label = ""
			}
			rows = append(rows, []string{label, l})
		}
	}
	var used, refused, held []string
	for _, u := range g.Used {
		line := fmt.Sprintf("%s %d×", u.Action, u.Times)
		if u.Privileged {
			line += ", privileged"
		}
		if len(u.Resources) > 0 {
			line += " on " + strings.Join(u.Resources, ", ")
		}
		used = append(used, line)
	}
	for _, u := range g.Refused {
		refused = append(refused, strings.TrimSpace(fmt.Sprintf("%s %d× %s", u.Action, u.Times, u.Code)))
	}
	for _, h := range g.Accounts {
		line := fmt.Sprintf("%s %s in %s", h.Account, cli.Short(h.Held.Round(time.Second)), cli.Counted(h.Leases, "lease"))
		if h.Open > 0 {
			line += fmt.Sprintf(", %d not checked in yet", h.Open)
		}
		held = append(held, line)
	}
	list("approved", g.Approved)
	list("used", used)
	list("never used", g.Unused)
	list("refused", refused)
	list("accounts held", held)
	list("suggested", g.Suggested)
	if len(g.Suggested) > 0 {
		rows = append(rows, []string{"", fmt.Sprintf("tried on %s: %d refused", cli.Counted(g.Check.Requests, "distinct request"), g.Check.Refused)})
	}
	return rows
}
