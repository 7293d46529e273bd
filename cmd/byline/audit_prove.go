package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func auditProveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "prove [RECORD]",
		Short: "Write a proof that a record is in the log",
		Args:  cobra.MaximumNArgs(1),

		ValidArgsFunction: completeRecords,

		Long: "Writes a proof that shows one record to an outsider, who checks it with byline audit verify and the public keys alone:\n" +
			"the record, its inclusion proof, and the signed checkpoint with the witnesses' signatures (C2SP tlog-proof, which other\n" +
			"tools read, too). With --from it shows instead that the log's checkpoint continues an older one, named by its size:\n" +
			"nothing before it was changed or dropped. A record can be proved once a checkpoint covers it.",
		Example: "  byline audit prove r_01jd7v3w8yq2m4n6p8r0s2t4v6 > record.tlog-proof\n" +
			"  byline audit verify --key audit.key.pub record.tlog-proof\n" +
			"  byline audit prove --from 1200 > since-1200.proof",
	}
	var from, to uint64
	c.Flags().Uint64Var(&from, "from", 0, "size of the older checkpoint, for a consistency proof")
	c.Flags().Uint64Var(&to, "to", 0, "size of the newer checkpoint (default: the newest published)")
	dir := logDirFlag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		consistency := c.Flags().Changed("from")
		if consistency == (len(args) == 1) || !consistency && c.Flags().Changed("to") {
			return errors.New("audit prove: name a RECORD, or checkpoints with --from and --to")
		}
		log, err := logFolders(c, *dir)
		if err != nil {
			return err
		}

		step, removeBar := cli.Progress(c.ErrOrStderr(), "building the tree")
		var proof interface{ Format() []byte }
		if consistency {
			proof, err = log.ProveConsistency(from, to, step)
		} else {
			proof, err = log.Prove(args[0], step)
		}
		removeBar()
		if err != nil {
			return auditFailed(err)
		}

		_, err = c.OutOrStdout().Write(proof.Format())
		return cli.OutputFailed(err)
	}
	return c
}
