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
		Use:   "verify [DIR|BUNDLE]",
		Short: "Check the log, or a proof, with the public key alone",
		Args:  cobra.MaximumNArgs(1),
		Long: "Reads every record and checks form, sequence, hash chain, Merkle tree and signatures. It needs only the folder and the\n" +
			"public key. The first record that does not fit is named, and the exit code is 1. A checkpoint that was kept elsewhere\n" +
			"(--kept) also shows whether the end of the log was cut off or the log was restored from an older copy.\n" +
			"A file that byline audit prove wrote is checked the same way, with the public keys alone.",
		Example: "  byline audit verify\n  byline audit verify --key audit.key.pub /mnt/evidence/audit\n" +
			"  byline audit verify --kept last-week.checkpoint --json\n" +
			"  byline audit verify --key audit.key.pub --witness witness.pub --quorum 1 record.tlog-proof",
	}
	var keys trustFlags
	keys.add(c)
	var kept []string
	c.Flags().StringArrayVar(&kept, "kept", nil, "file with a checkpoint that was kept elsewhere; may be repeated")
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		trust, err := keys.read(c)
		if err != nil {
			return err
		}

		name := ""
		if len(args) == 1 {
			name = args[0]
		}
		if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() {
			text, err := os.ReadFile(name)
			if err != nil {
				return cli.Failed("audit", err, "")
			}
			return verifyBundle(c, text, trust, *asJSON)
		}

		dir, err := logDir(c, name)
		if err != nil {
			return err
		}
		options := audit.VerifyOptions{Witnesses: trust.Witnesses, Quorum: trust.Quorum}
		for _, file := range kept {
			b, err := os.ReadFile(file)
			if err != nil {
				return cli.Failed("audit", fmt.Errorf("kept checkpoint: %w", err), "--kept takes a file with a signed checkpoint of this log")
			}
			options.Kept = append(options.Kept, string(b))
		}
		return verifyLog(c, dir, trust.Keys[0], options, *asJSON)
	}
	return c
}

// verifyLog checks a log and writes the report. It fails after that if the log is
// broken.
func verifyLog(c *cobra.Command, dir string, key audit.PublicKey, options audit.VerifyOptions, asJSON bool) error {
	step, removeBar := cli.Progress(c.ErrOrStderr(), "verifying")
	options.Progress = step
	report, err := audit.VerifyWith(dir, key, options)
	removeBar()
	if err != nil && !errors.Is(err, audit.ErrBroken) {
		return auditFailed(err)
	}

	failure := cli.Print(c, asJSON, report, func(w io.Writer) error { return showReport(w, &report) })
	if failure != nil {
		return failure
	}
	if err != nil {
		return auditFailed(err)
	}
	return nil
}

// showReport writes first what a person asks first: is the log whole, and how far does
// that statement go.
func showReport(w io.Writer, r *audit.Report) error {
	verdict := "BROKEN"
	if r.Bad == nil {
		verdict = "ok: nothing was changed, dropped, moved or put in"
	}

	rows := [][]string{{"records", strconv.FormatUint(r.Records, 10) + " in " + cli.Plural(r.Segments, "segment")}}
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
	return cli.Table(w, []string{"verdict", verdict}, rows)
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

	end := "open: it is being written, or its writer was killed"
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
