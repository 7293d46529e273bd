package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/internal/names"
)

// maxStatement bounds what an operator states about the log, in bytes.
const maxStatement = 4096

// controlAcceptRollback puts on record that the log is known to have lost records.
func (s *Server) controlAcceptRollback(_ context.Context, a admin.Acceptance) (admin.AcceptedRollback, error) {
	const remedy = "byline audit accept-rollback sends it in the right form"
	if err := checkAcceptance(a); err != nil {
		return admin.AcceptedRollback{}, s.problem(err, "bad_acceptance", remedy)
	}

	breaks, err := s.log.AcceptRollback(a.By, a.Why)
	if err != nil {
		return admin.AcceptedRollback{}, s.problem(err, "bad_acceptance", remedy)
	}

	answer := admin.AcceptedRollback{Breaks: []admin.AcceptedBreak{}}
	for _, b := range breaks {
		answer.Breaks = append(answer.Breaks, admin.AcceptedBreak{
			Record:   b.Record,
			LostSize: b.Lost.Size,
			LostRoot: b.Lost.Root,
			Size:     b.Size,
			Root:     b.Root,
		})
	}

	return answer, nil
}

func checkAcceptance(a admin.Acceptance) error {
	switch {
	case strings.TrimSpace(a.By) == "" || len(a.By) > 256:
		return errors.New("by: must name who accepts it")
	case names.Unreadable(a.By) != "":
		return fmt.Errorf("by: %s", names.Unreadable(a.By))
	case len(a.Why) > maxStatement:
		return fmt.Errorf("why: is longer than %d bytes", maxStatement)
	}

	return nil
}

// controlRecordArchived puts on record what became of a segment of the log.
func (s *Server) controlRecordArchived(ctx context.Context, a admin.ArchivedSegment) (admin.Signed, error) {
	ticket, err := s.log.RecordArchived(a.Code, audit.Segment{
		First:  a.First,
		Next:   a.Next,
		Bytes:  a.Bytes,
		SHA256: a.SHA256,
		Root:   a.Root,
	}, a.Detail)
	if err == nil {
		err = ticket.Wait(ctx)
	}
	if err != nil {
		return admin.Signed{}, s.problem(err, "bad_segment", "byline audit archive sends it in the right form")
	}

	return admin.Signed{Record: ticket.ID()}, nil
}
