package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/proxy/admin"
)

func auditAcceptRollbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "accept-rollback",
		Short: "Put on record that the log is known to have lost records",
		Args:  cobra.NoArgs,
		Long: "After the log was restored from an older copy, or its end was cut off, a checkpoint next to it covers more than it\n" +
			"holds. The server is not ready, and byline audit verify calls the log BROKEN, until an operator says on record who\n" +
			"knows of it and why it happened. The record names the lost tree and the tree of the log, and verify reports it for\n" +
			"ever. First try to get the records back: from the copy that was not restored, or from a sink.",
		Example: "  byline audit accept-rollback --by bob@acme.example --why 'INC-1042: disk replaced, restored from the copy of 02:00'\n" +
			"  byline audit verify",
	}
	var statement admin.Acceptance
	c.Flags().StringVar(&statement.By, "by", "", "who accepts it")
	c.Flags().StringVar(&statement.Why, "why", "", "what happened, as your ticket says it")
	asJSON := cli.JSONFlag(c)
	client.AddFlags(c)

	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if strings.TrimSpace(statement.By) == "" {
			return errors.New("audit accept-rollback: --by must name who accepts it")
		}

		records, err := openOperatorRecords(c)
		if err != nil {
			return err
		}
		accepted, err := records.AcceptRollback(c.Context(), statement)
		err = errors.Join(err, records.Close())
		if err != nil {
			return auditFailed(err)
		}

		return cli.Print(c, *asJSON, accepted, func(w io.Writer) error { return showAccepted(w, accepted, statement.By) })
	}
	return c
}

func showAccepted(w io.Writer, a admin.AcceptedRollback, by string) error {
	if len(a.Breaks) == 0 {
		_, err := fmt.Fprintln(w, "nothing to accept: the log holds every checkpoint that was published")
		return err
	}

	for _, b := range a.Breaks {
		err := cli.Table(w, []string{"accepted", "by " + by + " in record " + b.Record}, [][]string{
			{"lost", fmt.Sprintf("the tree of %d records, root %s", b.LostSize, b.LostRoot)},
			{"log", fmt.Sprintf("%d records then, root %s", b.Size, b.Root)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
