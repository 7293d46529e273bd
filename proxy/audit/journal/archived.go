package journal

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/byline-proxy/byline/proxy/audit"
)

// maxArchivedDetail bounds the detail of an archived record in bytes.
const maxArchivedDetail = 4096

// RecordArchived puts on record what became of a segment of the log. code is
// CodeMoved or CodeRemoved of package audit, detail says where to or why. It
// compares the root in s with the published tree, because verification would
// find a wrong one and call the log broken for ever.
//
// The caller removes the segment only after the ticket has reported success.
func (l *Log) RecordArchived(code string, s audit.Segment, detail string) (Ticket, error) {
	digest, err := hex.DecodeString(s.SHA256)
	switch {
	case code != audit.CodeMoved && code != audit.CodeRemoved:
		return Ticket{}, fmt.Errorf("audit: archived: code %q is unknown", code)
	case err != nil || len(digest) != 32:
		return Ticket{}, errors.New("audit: archived: sha256 must be 64 hexadecimal digits")
	case s.First >= s.Next:
		return Ticket{}, errors.New("audit: archived: a segment has lines")
	case len(detail) > maxArchivedDetail:
		return Ticket{}, fmt.Errorf("audit: archived: the detail is longer than %d bytes", maxArchivedDetail)
	}

	root, err := audit.TilesOf(l.cfg.Dir).RootAt(s.Next)
	if err != nil {
		return Ticket{}, fmt.Errorf("audit: archived: the tree of %d records: %w", s.Next, err)
	}
	if root != s.Root {
		return Ticket{}, fmt.Errorf("audit: archived: the first %d records have the root %s, not %s", s.Next, root, s.Root)
	}

	return l.appendAnyKind(&audit.Record{Kind: audit.KindArchived, Code: code, Segment: s, Detail: detail}), nil
}
