package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy/audit"
)

func auditProve() *cobra.Command {
	var from, to uint64
	c := &cobra.Command{Use: "prove [RECORD]", Short: "Write a proof that a record is in the log", Args: cobra.MaximumNArgs(1),
		Long: "Writes a bundle that shows one record to an outsider, who checks it with byline audit verify and the public keys alone:\n" +
			"the record, its inclusion proof, and the signed checkpoint with what witnesses signed (C2SP tlog-proof, so other tools\n" +
			"read it, too). With --from it shows instead that the log's checkpoint goes on from an older one, named by its size:\n" +
			"nothing before it was changed or dropped. A record can be proved once a checkpoint covers it.",
		Example: "  byline audit prove r_01jd7v3w8yq2m4n6p8r0s2t4v6 > record.tlog-proof\n  byline audit verify --key audit.key.pub record.tlog-proof\n" +
			"  byline audit prove --from 1200 > since-1200.proof"}
	c.Flags().Uint64Var(&from, "from", 0, "size of the older checkpoint, for a consistency proof")
	c.Flags().Uint64Var(&to, "to", 0, "size of the newer checkpoint (default: the newest published)")
	dir := dirFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		consistency := c.Flags().Changed("from")
		if consistency == (len(args) == 1) || !consistency && c.Flags().Changed("to") {
			return errors.New("audit prove: name a RECORD, or checkpoints with --from and --to")
		}
		log, err := auditDir(c, *dir)
		if err != nil {
			return err
		}
		step, done := cli.Progress(c.ErrOrStderr(), "making the tree")
		var text []byte
		if consistency {
			var b *audit.Consistency
			if b, err = audit.ProveConsistency(log, from, to, step); err == nil {
				text = b.Format()
			}
		} else {
			var b *audit.Bundle
			if b, err = audit.Prove(log, args[0], step); err == nil {
				text = b.Format()
			}
		}
		done()
		if err != nil {
			return auditFailed(err)
		}
		_, err = c.OutOrStdout().Write(text)
		return cli.OutputFailed(err)
	}
	return c
}

func auditTiles() *cobra.Command {
	c := &cobra.Command{Use: "tiles OUT", Short: "Write the log as tlog-tiles, for public tools", Args: cobra.ExactArgs(1),
		Long: "Writes the folder OUT in the form of C2SP tlog-tiles: checkpoint, hash tiles and entry bundles, which any server of files\n" +
			"can serve and any client of such logs reads. OUT holds the records themselves: serve it only to who may read them. The\n" +
			"next call goes on where this one ended.",
		Example: "  byline audit tiles /srv/audit-tiles\n  byline audit tiles --dir /mnt/evidence/audit tiles"}
	dir, asJSON := dirFlag(c), cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		log, err := auditDir(c, *dir)
		if err != nil {
			return err
		}
		step, done := cli.Progress(c.ErrOrStderr(), "writing tiles")
		cp, err := audit.Export(log, args[0], step)
		done()
		if err != nil {
			return auditFailed(err)
		}
		if *asJSON {
			return cli.OutputFailed(cli.WriteJSON(c.OutOrStdout(), cp))
		}
		return cli.OutputFailed(cli.Table(c.OutOrStdout(), []string{"origin", cp.Origin}, [][]string{{"records", strconv.FormatUint(cp.Size, 10)}, {"root", cp.Root}, {"folder", args[0]}}))
	}
	return c
}

// verifyBundle checks a proof that byline audit prove wrote.
func verifyBundle(c *cobra.Command, text []byte, t audit.Trust, asJSON bool) error {
	p, err := audit.VerifyBundle(text, t)
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
