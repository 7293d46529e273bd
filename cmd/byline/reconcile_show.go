package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/reports"
)

func showReconciliation(w io.Writer, r *reports.Reconciliation) error {
	if _, err := fmt.Fprintf(w, "%s, %s: %s\n", cli.Printable(r.Adapter), r.Period, verdictText(r)); err != nil {
		return err
	}
	err := cli.Table(w, []string{"matched", strconv.Itoa(len(r.Matched))}, [][]string{
		{"record only", strconv.Itoa(len(r.RecordOnly))},
		{"application only", strconv.Itoa(len(r.ApplicationOnly))},
		{"entries of other users", strconv.Itoa(r.Others)},
		{"entries ignored", strconv.Itoa(r.Log.Ignored)},
		{"entries of no kind", strconv.Itoa(r.Log.OfNoKind)},
		{"entries that cannot be read", strconv.Itoa(r.Log.Unreadable)},
		{"the application's log", logText(&r.Log)},
		{"application's clock", clockText(&r.Skew)},
		{"times agree within", r.Tolerance.String()},
	})
	if err != nil {
		return err
	}
	if err := showFindings(w, r); err != nil {
		return err
	}

	if len(r.ApplicationOnly) > 0 {
		fmt.Fprintln(w, "\napplication only: somebody used the account outside Byline")
		var rows [][]string
		for _, e := range r.ApplicationOnly {
			rows = append(rows, []string{e.Time.Format(time.DateTime), e.User, strings.Join(e.Actions, " or "), e.Resource, e.ID})
		}
		if err := cli.Table(w, []string{"TIME", "USER", "ACTION", "RESOURCE", "ENTRY"}, rows); err != nil {
			return err
		}
	}

	if len(r.RecordOnly) > 0 {
		fmt.Fprintln(w, "\nrecord only: the request changed nothing, or its entry is missing")
		var rows [][]string
		for _, a := range r.RecordOnly {
			rows = append(rows, []string{a.Began.Format(time.DateTime), a.Account, a.Action, a.Resource, strconv.Itoa(a.Status), a.Record})
		}
		return cli.Table(w, []string{"TIME", "ACCOUNT", "ACTION", "RESOURCE", "STATUS", "RECORD"}, rows)
	}
	return nil
}

// clockText says how the application's clock differs from ours.
func clockText(s *reports.Skew) string {
	if s.Samples < reports.MinSkewSamples {
		return "unknown (too few pairs); assumed to agree with ours"
	}
	return fmt.Sprintf("%s ahead of ours (median of %s, spread %s)",
		s.Ahead.Round(time.Millisecond), cli.Plural(s.Samples, "pair"), s.Spread.Round(time.Millisecond))
}

// verdictText is the verdict for people.
func verdictText(r *reports.Reconciliation) string {
	switch r.Verdict {
	case reports.VerdictClear:
		return "the record explains every entry of the accounts"
	case reports.VerdictOutside:
		return "SOMEBODY USED AN ACCOUNT OUTSIDE BYLINE"
	}
	return "NO ALL-CLEAR"
}

// logText says from when to when the application's log is.
func logText(l *reports.LogSummary) string {
	if l.First.IsZero() {
		return cli.Plural(l.Items, "entry")
	}
	return fmt.Sprintf("%s, from %s to %s UTC", cli.Plural(l.Items, "entry"), l.First.Format(time.DateTime), l.Last.Format(time.DateTime))
}

// showFindings prints why there is no all-clear, and what was seen of it.
func showFindings(w io.Writer, r *reports.Reconciliation) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "\n%s: %s\n  %s\n", f.Code, cli.Printable(f.What), cli.Printable(f.Remedy)); err != nil {
			return err
		}
	}

	var rows [][]string
	for _, s := range r.Log.Shapes {
		rows = append(rows, []string{strconv.Itoa(s.Entries), s.User, s.Where, s.Shape})
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
		if err := cli.Table(w, []string{"OF NO KIND", "USER", "FIRST", "SHAPE"}, rows); err != nil {
			return err
		}
	}

	rows = nil
	for _, b := range r.Log.BadLines {
		rows = append(rows, []string{b.Where, b.Why})
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
		return cli.Table(w, []string{"CANNOT BE READ", "WHY"}, rows)
	}
	return nil
}
