package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// Parts of the names of files in the directory of tiles that hold a checkpoint
// which the log no longer has. Both count as kept checkpoints.
const (
	aheadMark    = ".ahead-"    // nobody has accepted that
	acceptedMark = ".accepted-" // a rollback record says that an operator did
)

// AcceptedBreak is a checkpoint that the log no longer has, because it was rolled
// back, and of which an operator said on record that this is known. Records that
// the checkpoint covered are lost.
type AcceptedBreak struct {
	Seq     uint64     `json:"seq"` // of the rollback record, which is the number of records that the log held then
	ID      string     `json:"id"`
	Time    time.Time  `json:"time"`
	By      string     `json:"by"`
	Why     string     `json:"why,omitempty"`
	Lost    Checkpoint `json:"lost"`             // the checkpoint that the log no longer has
	Root    string     `json:"root"`             // Merkle root of the records that the log held then, in base64
	Pending bool       `json:"pending,omitzero"` // no checkpoint covers the record yet, so it counts for nothing
}

// addBreak notes a rollback record, which the chain has checked.
func (v *verification) addBreak(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	lost, err := parseUnverified(r.Checkpoint)
	if err != nil {
		return err
	}
	if lost.Origin != v.origin() {
		return fmt.Errorf("rollback: the checkpoint is that of %q", lost.Origin)
	}
	tree, err := merkle.TreeFromFrontier(r.Seq, r.Frontier)
	if err != nil {
		return err
	}

	v.Accepted = append(v.Accepted, AcceptedBreak{
		Seq:  r.Seq,
		ID:   r.ID,
		Time: r.Time,
		By:   r.Sponsor,
		Why:  r.Purpose,
		Lost: lost,
		Root: tree.Root().Base64(),
	})

	return nil
}

// isAccepted reports whether a rollback record that a valid checkpoint covers
// names c. A record after the last checkpoint does not count, because
// anyone who can write the directory can add one.
func (v *verification) isAccepted(c Checkpoint) bool {
	for i := range v.Accepted {
		b := &v.Accepted[i]
		if v.isSealed(b.Seq) && isSameTree(b.Lost, c) {
			return true
		}
	}

	return false
}

// isSealed reports whether a valid checkpoint covers the line with number seq.
func (v *verification) isSealed(seq uint64) bool {
	return v.chain.LastCheckpoint != nil && seq < v.chain.LastCheckpoint.Size
}

// ArchivedSegment is what an archived record says.
type ArchivedSegment struct {
	Segment
	Seq    uint64    `json:"seq"` // of the record
	Time   time.Time `json:"time"`
	Code   string    `json:"code"`   // CodeMoved or CodeRemoved
	Detail string    `json:"detail"` // where to, or why

	Pending bool `json:"pending,omitzero"` // no checkpoint covers the record yet: anyone who can write the log may have added it
}

// checkArchived checks that an archived record names a segment of the log before it
// and the tree that the log had at the segment's end. What lies before Start is not
// known.
func (v *verification) checkArchived(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}

	root, known := v.roots[r.Segment.Next]
	switch {
	case r.Segment.First >= r.Segment.Next:
		return errors.New("archived: the record names no segment")
	case known && root != r.Segment.Root:
		return fmt.Errorf("archived: the first %d records have another root than the record says", r.Segment.Next)
	case !known && r.Segment.Next >= v.Start:
		return fmt.Errorf("archived: no segment ends before record %d", r.Segment.Next)
	}
	if r.Segment.Next == v.Start {
		v.StartMoved = &ArchivedSegment{Segment: r.Segment, Seq: r.Seq, Time: r.Time, Code: r.Code, Detail: r.Detail}
	}

	return nil
}
