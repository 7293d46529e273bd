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

func auditVerify() *cobra.Command {
	var kept []string
	c := &cobra.Command{Use: "verify [DIR|BUNDLE]", Short: "Check the log, or a proof, with the public key alone", Args: cobra.MaximumNArgs(1),
		Long: "Reads every record and checks form, sequence, hash chain, Merkle tree and signatures. Nothing but the folder and the public\n" +
			"key is needed. The first record that does not fit is named, and the exit code is 1. A checkpoint that was kept elsewhere\n" +
			"(--kept) also shows that the end of the log was cut off or that the log was put back from an older copy.\n" +
			"A file that byline audit prove wrote is checked the same way, with the public keys alone.",
		Example: "  byline audit verify\n  byline audit verify --key audit.key.pub /mnt/evidence/audit\n  byline audit verify --kept last-week.checkpoint --json\n" +
			"  byline audit verify --key audit.key.pub --witness witness.pub --quorum 1 record.tlog-proof"}
	var keys trustFlags
	keys.add(c)
	asJSON := cli.JSONFlag(c)
	c.Flags().StringArrayVar(&kept, "kept", nil, "file with a checkpoint that was kept elsewhere; may be repeated")
	c.RunE = func(c *cobra.Command, args []string) error {
		trust, err := keys.trust(c)
		if err != nil {
			return err
		}
		named := ""
		if len(args) == 1 {
			named = args[0]
		}
		if st, err := os.Stat(named); err == nil && st.Mode().IsRegular() {
			text, err := os.ReadFile(named)
			if err != nil {
				return cli.Failed("audit", err, "")
			}
			return verifyBundle(c, text, trust, *asJSON)
		}
		dir, err := auditDir(c, named)
		if err != nil {
			return err
		}
		o := audit.VerifyOptions{Witnesses: trust.Witnesses, Quorum: trust.Quorum}
		for _, file := range kept {
			b, err := os.ReadFile(file)
			if err != nil {
				return cli.Failed("audit", fmt.Errorf("kept checkpoint: %w", err), "--kept takes a file with a signed checkpoint of this log")
			}
			o.Kept = append(o.Kept, string(b))
		}
		return verifyLog(c, dir, trust.Keys[0], o, *asJSON)
	}
	return c
}

func verifyLog(c *cobra.Command, dir string, pub audit.PublicKey, o audit.VerifyOptions, asJSON bool) error {
	var done func()
	o.Progress, done = cli.Progress(c.ErrOrStderr(), "verifying")
	rep, err := audit.VerifyWith(dir, pub, o)
	done()
	if err != nil && !errors.Is(err, audit.ErrBroken) {
		return auditFailed(err)
	}
	show := showReport
	if asJSON {
		show = func(w io.Writer, rep audit.Report) error { return cli.WriteJSON(w, rep) }
	}
	if err := cli.OutputFailed(show(c.OutOrStdout(), rep)); err != nil {
		return err
	}
	if err != nil {
		return auditFailed(err)
	}
	return nil
}

// showReport writes what a person asks of a verification first: is it whole,
// and how far does that go.
func showReport(w io.Writer, rep audit.Report) error {
	verdict := "BROKEN"
	if rep.Bad == nil {
		verdict = "ok: nothing was changed, dropped, moved or put in"
	}
	rows := [][]string{{"records", strconv.FormatUint(rep.Records, 10) + " in " + cli.Counted(rep.Segments, "segment")}}
	if rep.Last != nil {
		rows = append(rows, []string{"sealed", fmt.Sprintf("the first %d, by %s", rep.Last.Size+1, rep.Last.Origin)})
	} else {
		rows = append(rows, []string{"sealed", "none: no checkpoint was found, so this proves nothing"})
	}
	if rep.Bad == nil {
		rows = append(rows, endRows(rep)...)
	}
	if n := len(rep.Keys); n > 0 {
		rows = append(rows, []string{"keys", fmt.Sprintf("%d took over, each announced by the one before", n)})
	}
	for _, s := range rep.Cosigned {
		rows = append(rows, []string{"witnessed", fmt.Sprintf("the first %d, by %s at %s", rep.Published, s.Witness, s.Time.Format(time.RFC3339))})
	}
	if n := len(rep.Open) + rep.OpenMore; n > 0 {
		rows = append(rows, []string{"no outcome", cli.Counted(n, "intent") + ": " + reasons(rep.Open) + "; --json lists them"})
	}
	if b := rep.Bad; b != nil {
		rows = append(rows, []string{"first bad", fmt.Sprintf("%s line %d, seq %d", b.File, b.Line, b.Seq)}, []string{"why", b.Why})
	}
	return cli.Table(w, []string{"verdict", verdict}, rows)
}

// endRows tell how the log ends.
func endRows(rep audit.Report) (rows [][]string) {
	if rep.Unsealed > 0 {
		rows = append(rows, []string{"not sealed", fmt.Sprintf("the last %d: a change there may be unseen", rep.Unsealed)})
	}
	if rep.Unfinished > 0 {
		rows = append(rows, []string{"unfinished", cli.Counted(int(rep.Unfinished), "byte") + " that were never acknowledged"})
	}
	end := "open: it is being written, or its writer was killed"
	if rep.Closed {
		end = "closed"
	}
	return append(rows, []string{"end", end})
}

// reasons count the intents without outcome by why they have none.
func reasons(open []audit.OpenIntent) string {
	n := map[string]int{}
	for _, o := range open {
		n[o.Why]++
	}
	var out []string
	for _, why := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%d %s", n[why], why))
	}
	return strings.Join(out, ", ")
}

// verifyBundle checks a proof that byline audit prove wrote.
func verifyBundle(c *cobra.Command, text []byte, t audit.Trust, asJSON bool) error {
	p, err := audit.VerifyProof(text, t)
	if err != nil {
		return &cli.Failure{Err: fmt.Errorf("audit: %w", err), Hint: "a proof needs the key that signed its checkpoint (--key, repeated after a change of keys), and for --quorum the witnesses' keys (--witness)", Code: 1}
	}
	if asJSON {
		return cli.OutputFailed(cli.WriteJSON(c.OutOrStdout(), p))
	}
	rows := [][]string{{"log", p.Checkpoint.Origin}, {"checkpoint", fmt.Sprintf("%d records, root %s", p.Checkpoint.Size, p.Checkpoint.Root)}}
	for _, s := range p.Cosigned {
		rows = append(rows, []string{"witnessed", s.Witness + " at " + s.Time.Format("2006-01-02T15:04:05Z")})
	}
	verdict := "ok: the record is in the log"
	if p.Old != nil {
		verdict = "ok: the checkpoint goes on from the older one"
		rows = append(rows, []string{"older", fmt.Sprintf("%d records, root %s", p.Old.Size, p.Old.Root)})
	}
	if p.Record != nil {
		rows = append(rows, append([][]string{{"record", p.Record.ID}}, recordRows(p.Record)...)...)
	}
	return cli.OutputFailed(cli.Table(c.OutOrStdout(), []string{"verdict", verdict}, rows))
}
