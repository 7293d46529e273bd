package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// operatorRecords puts what an operator states about the log on record.
type operatorRecords interface {
	AcceptRollback(ctx context.Context, a admin.Acceptance) (admin.AcceptedRollback, error)
	RecordArchived(ctx context.Context, s admin.ArchivedSegment) (admin.Signed, error)
	Close() error
}

// openOperatorRecords returns the records of the running server or, if none runs, of
// the log itself, which it opens. The caller closes it.
func openOperatorRecords(c *cobra.Command) (operatorRecords, error) {
	control, cfg, err := client.Connect(c)
	if err == nil {
		return overControl{control}, nil
	}
	address, _ := c.Flags().GetString("control")
	if cfg == nil && address == "" {
		cfg, _ = load.Config(c)
	}
	if cfg == nil || address != "" {
		return nil, err
	}

	log, openErr := openLogDirectly(cfg)
	if openErr != nil {
		return nil, cli.Failed("audit", openErr, "no server answers either: start it with byline serve, or run this as the user whose files these are")
	}
	return directly{log}, nil
}

// openLogDirectly opens the log as a server would. Only the owner of its directory
// may: what another user writes, the server could not read.
func openLogDirectly(cfg *configs.Config) (*journal.Log, error) {
	info, err := os.Stat(cfg.Audit.Dir)
	if err != nil {
		return nil, err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return nil, fmt.Errorf("%s belongs to the user with id %d, who could not read what this user writes", cfg.Audit.Dir, owner)
	}

	key, err := journal.FinishKeyChange(cfg.Audit.Dir, cfg.Audit.KeyFile)
	if err != nil {
		return nil, err
	}
	return journal.Open(cfg.Audit.Config, key, cfg.Instance)
}

// overControl is a running server.
type overControl struct{ *client.Client }

func (overControl) Close() error { return nil }

// directly is the log itself, which no server has open.
type directly struct{ log *journal.Log }

func (d directly) AcceptRollback(_ context.Context, a admin.Acceptance) (answer admin.AcceptedRollback, err error) {
	breaks, err := d.log.AcceptRollback(a.By, a.Why)
	for _, b := range breaks {
		answer.Breaks = append(answer.Breaks, admin.AcceptedBreak{
			Record:   b.Record,
			LostSize: b.Lost.Size,
			LostRoot: b.Lost.Root,
			Size:     b.Size,
			Root:     b.Root,
		})
	}
	return answer, err
}

func (d directly) RecordArchived(ctx context.Context, s admin.ArchivedSegment) (admin.Signed, error) {
	ticket, err := d.log.RecordArchived(s.Code, audit.Segment{First: s.First, Next: s.Next, Bytes: s.Bytes, SHA256: s.SHA256, Root: s.Root}, s.Detail)
	if err != nil {
		return admin.Signed{}, err
	}
	return admin.Signed{Record: ticket.ID()}, ticket.Wait(ctx)
}

func (d directly) Close() error { return errors.Join(d.log.Close(), d.log.PublishErr()) }
