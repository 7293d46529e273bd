package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/audit"
)

func auditVerifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify [DIR... | BUNDLE]",
		Short: "Check the log, or a proof, with the public key alone",
		Args:  cobra.ArbitraryArgs,
		Long: "Reads every record and checks form, sequence, hash chain, Merkle tree and signatures. It needs only the folder and the\n" +
			"public key. The first record that does not fit is named, and the exit code is 1. A checkpoint that was kept elsewhere\n" +
			"(--kept) also shows whether the end of the log was cut off or the log was restored from an older copy.\n" +
			"Several folders are read as one log: that of the server and those to which segments were moved. If the first segments\n" +
			"are not there, verification begins at the first checkpoint, and says so; --whole makes that an error.\n" +
			"A file that byline audit prove wrote is checked the same way, with the public keys alone.",
		Example: "  byline audit verify\n  byline audit verify --key audit.key.pub /mnt/evidence/audit\n" +
			"  byline audit verify --key audit.key.pub --whole /var/lib/byline/audit /mnt/archive/byline\n" +
			"  byline audit verify --kept last-week.checkpoint --json\n" +
			"  byline audit verify --key audit.key.pub --witness witness.pub --quorum 1 record.tlog-proof",
	}
	var keys trustFlags
	keys.add(c)
	var kept []string
	c.Flags().StringArrayVar(&kept, "kept", nil, "file with a checkpoint that was kept elsewhere; may be repeated")
	var whole bool
	c.Flags().BoolVar(&whole, "whole", false, "fail unless the folders hold the log from its first record on")
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		trust, err := keys.read(c)
		if err != nil {
			return err
		}

		if len(args) == 1 {
			if st, err := os.Stat(args[0]); err == nil && st.Mode().IsRegular() {
				text, err := os.ReadFile(args[0])
				if err != nil {
					return cli.Failed("audit", err, "")
				}
				return verifyBundle(c, text, trust, *asJSON)
			}
		}

		log, err := logFolders(c, args)
		if err != nil {
			return err
		}
		options := audit.VerifyOptions{Keys: trust.Keys[1:], Witnesses: trust.Witnesses, Quorum: trust.Quorum}
		for _, file := range kept {
			b, err := os.ReadFile(file)
			if err != nil {
				return cli.Failed("audit", fmt.Errorf("kept checkpoint: %w", err), "--kept takes a file with a signed checkpoint of this log")
			}
			options.Kept = append(options.Kept, string(b))
		}
		return verifyLog(c, log, trust.Keys[0], options, whole, *asJSON)
	}
	return c
}

// verifyLog checks a log and writes the report. It fails after that if the log is
// broken, or if whole is set and its beginning is missing.
func verifyLog(c *cobra.Command, log audit.Folders, key audit.PublicKey, options audit.VerifyOptions, whole, asJSON bool) error {
	step, removeBar := cli.Progress(c.ErrOrStderr(), "verifying")
	options.Progress = step
	report, err := log.Verify(key, options)
	removeBar()
	if err != nil && !errors.Is(err, audit.ErrBroken) {
		return auditFailed(err)
	}

	view := verifyView{verdictCodeOf(&report), report}
	failure := cli.Print(c, asJSON, view, func(w io.Writer) error { return showReport(w, &report) })
	if failure != nil {
		return failure
	}
	if err != nil {
		return auditFailed(err)
	}
	if whole && report.Start > 0 {
		return cli.Failed("audit", fmt.Errorf("verify: the folders begin with record %d", report.Start),
			"name the folder to which the segments before it were moved, too")
	}
	return nil
}

// showReport writes first what a person asks first: is the log whole, and how far does
// that statement go.
func showReport(w io.Writer, r *audit.Report) error {
	rows := [][]string{{"records", strconv.FormatUint(r.Records, 10) + " in " + cli.Plural(r.Segments, "segment")}}
	rows = append(rows, startRows(r)...)
	if r.Last != nil {
		rows = append(rows, []string{"sealed", fmt.Sprintf("the first %d, by %s", r.Last.Size+1, r.Last.Origin)})
	} else {
		rows = append(rows, []string{"sealed", "none: no checkpoint was found, so this proves nothing"})
	}
	if r.Bad == nil {
		rows = append(rows, endRows(r)...)
	}

	if n := len(r.Keys); n > 0 {
		rows = append(rows, []string{"keys", fmt.Sprintf("%d took over, each announced by the one before", n)})
	}
	for _, key := range r.NotAnnounced {
		rows = append(rows, []string{"", "never announced here: " + key + "; the log ends before that key took over, or its end was cut off"})
	}
	for _, s := range r.Cosigned {
		rows = append(rows, []string{"witnessed", fmt.Sprintf("the first %d, by %s at %s", r.Published, s.Witness, s.Time.Format(time.RFC3339))})
	}
	if n := len(r.Open) + r.OpenMore; n > 0 {
		rows = append(rows, []string{"no outcome", cli.Plural(n, "intent") + ": " + countReasons(r.Open) + "; --json lists them"})
	}

	if b := r.Bad; b != nil {
		rows = append(rows,
			[]string{"first bad", fmt.Sprintf("%s line %d, seq %d", b.File, b.Line, b.Seq)},
			[]string{"why", b.Why})
	}
	for i := range r.Accepted {
		rows = append(rows, breakRows(&r.Accepted[i])...)
	}
	return cli.Table(w, []string{"verdict", verdictOf(r)}, rows)
}

// verifyView is the report in JSON.
type verifyView struct {
	Verdict string `json:"verdict"` // see verdictCodeOf
	audit.Report
}

// The verdicts on a log.
const (
	verdictBroken   = "broken"         // something was changed, dropped, moved or put in
	verdictAccepted = "accepted_break" // records were lost, which an operator accepted
	verdictOKFrom   = "ok_from_start"  // ok as far as the folders reach back
	verdictOK       = "ok"
)

// verdictCodeOf is the statement that the report makes, for programs.
func verdictCodeOf(r *audit.Report) string {
	switch {
	case r.Bad != nil:
		return verdictBroken
	case countLost(r) > 0:
		return verdictAccepted
	case r.Start > 0:
		return verdictOKFrom
	}
	return verdictOK
}

// verdictOf is the same for people.
func verdictOf(r *audit.Report) string {
	switch verdictCodeOf(r) {
	case verdictBroken:
		return "BROKEN"
	case verdictAccepted:
		return fmt.Sprintf("ACCEPTED BREAK: records were lost in %s that an operator accepted; nothing else was changed",
			cli.Plural(countLost(r), "rollback"))
	case verdictOKFrom:
		return fmt.Sprintf("ok from record %d on: nothing was changed, dropped, moved or put in since", r.Start)
	}
	return "ok: nothing was changed, dropped, moved or put in"
}

// countLost returns in how many rollbacks records were lost.
func countLost(r *audit.Report) (n int) {
	for _, b := range r.Accepted {
		if !b.Pending {
			n++
		}
	}
	return n
}

// startRows say where the log begins, if that is not its first record.
func startRows(r *audit.Report) [][]string {
	if r.Start == 0 {
		return nil
	}

	rows := [][]string{{"starts at", fmt.Sprintf("record %d, whose signed checkpoint vouches for the tree of those before it", r.Start)}}
	before := "not here, and no record here says where they are"
	if m := r.StartMoved; m != nil {
		before = fmt.Sprintf("%s at %s, record %d: %s", m.Code, m.Time.Format(time.RFC3339), m.Seq, m.Detail)
		if m.Pending {
			before += " (that record is not sealed yet)"
		}
	}
	return append(rows, []string{"before it", before})
}

// breakRows say which records were lost, and who accepted that.
func breakRows(b *audit.AcceptedBreak) [][]string {
	label := "accepted"
	if b.Pending {
		label = "not sealed"
	}
	by := fmt.Sprintf("by %s at %s, record %s", b.By, b.Time.Format(time.RFC3339), b.ID)
	if b.Why != "" {
		by += ": " + b.Why
	}
	return [][]string{
		{label, by},
		{"lost", fmt.Sprintf("the tree of %d records, root %s", b.Lost.Size, b.Lost.Root)},
		{"log", fmt.Sprintf("%d records then, root %s", b.Seq, b.Root)},
	}
}

// endRows say how the log ends.
func endRows(r *audit.Report) [][]string {
	var rows [][]string
	if r.Unsealed > 0 {
		rows = append(rows, []string{"not sealed", fmt.Sprintf("the last %d: a change there may be unseen", r.Unsealed)})
	}
	if r.Unfinished > 0 {
		at := r.UnfinishedAt
		rows = append(rows, []string{"unfinished", fmt.Sprintf("%s that were never acknowledged, at offset %d of %s",
			cli.Plural(int(r.Unfinished), "byte"), at.Offset, at.File)})
		if at.AfterZeros > 0 {
			rows = append(rows, []string{"", fmt.Sprintf("bytes follow zeros at offset %d: left by a crash, or written by somebody else", at.AfterZeros)})
		}
	}

	end := "open: it is being written, its writer was killed, or later segments are elsewhere"
	if r.Closed {
		end = "closed"
	}
	return append(rows, []string{"end", end})
}

// countReasons says how many intents have no outcome for which reason.
func countReasons(open []audit.OpenIntent) string {
	n := map[string]int{}
	for _, o := range open {
		n[o.Why]++
	}

	var parts []string
	for _, why := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[why], why))
	}
	return strings.Join(parts, ", ")
}

// verifyBundle checks a proof that byline audit prove wrote.
func verifyBundle(c *cobra.Command, text []byte, t audit.Trust, asJSON bool) error {
	p, err := audit.VerifyProof(text, t)
	if err != nil {
		return cli.Failed("audit", err, "a proof needs the key that signed its checkpoint (--key, repeated after a change of keys), "+
			"and for --quorum the witnesses' keys (--witness)")
	}
	return cli.Print(c, asJSON, p, func(w io.Writer) error { return showProof(w, &p) })
}

func showProof(w io.Writer, p *audit.VerifiedProof) error {
	rows := [][]string{
		{"log", p.Checkpoint.Origin},
		{"checkpoint", fmt.Sprintf("%d records, root %s", p.Checkpoint.Size, p.Checkpoint.Root)},
	}
	for _, s := range p.Cosigned {
		rows = append(rows, []string{"witnessed", s.Witness + " at " + s.Time.Format("2006-01-02T15:04:05Z")})
	}

	verdict := "ok: the record is in the log"
	if p.Old != nil {
		verdict = "ok: the checkpoint continues the older one"
		rows = append(rows, []string{"older", fmt.Sprintf("%d records, root %s", p.Old.Size, p.Old.Root)})
	}
	if p.Record != nil {
		rows = append(rows, []string{"record", p.Record.ID})
		rows = append(rows, recordRows(p.Record)...)
	}
	return cli.Table(w, []string{"verdict", verdict}, rows)
}
