package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

func lineHash(line []byte) hash { return sha256.Sum256(line) }

// walker follows the chain line by line and checks all that the public key can
// show. Writer and verifier use the same one.
type walker struct {
	pub      PublicKey
	seq      uint64
	head     hash
	tree     tree
	lastUS   int64
	last     *Checkpoint // nil: none yet
	unsealed uint64      // lines after it
	ended    bool        // the last line is a closing checkpoint
}

// step takes the next line, with a 0x00 in front of it.
func (w *walker) step(prefixed []byte) (Record, error) {
	line := prefixed[1:]
	r, err := ParseRecord(line)
	if err != nil {
		return r, err
	}
	if r.Seq != w.seq {
		return r, fmt.Errorf("seq is %d, want %d: records are missing, repeated or out of order", r.Seq, w.seq)
	}
	if r.Prev != w.head.hex() {
		return r, errors.New("prev is not the hash of the line before: one of the two was changed")
	}
	us := r.Time.UnixMicro()
	if us < w.lastUS {
		return r, errors.New("time is before that of the line before")
	}
	w.ended = false
	w.unsealed++
	if r.Kind == KindCheckpoint {
		if err := w.checkpoint(&r); err != nil {
			return r, err
		}
	}
	w.head = lineHash(line)
	w.tree.add(leafHash(prefixed))
	w.seq++
	w.lastUS = us
	return r, nil
}

// checkpoint checks a checkpoint record against the lines before it.
func (w *walker) checkpoint(r *Record) error {
	c, err := ParseCheckpoint(r.Checkpoint, w.pub)
	if err != nil {
		return err
	}
	if w.last != nil && c.Origin != w.last.Origin {
		return fmt.Errorf("checkpoint: origin is %q, before it was %q", c.Origin, w.last.Origin)
	}
	root := w.tree.root()
	switch {
	case c.Size != w.seq:
		return fmt.Errorf("checkpoint: signed for %d lines, stands after %d", c.Size, w.seq)
	case c.Root != root.base64(), c.Head != w.head.hex():
		return errors.New("checkpoint: the lines before it are not those that were signed")
	}
	if c.Record != carrier(*r, w.seq, w.head, r.Time.UnixMicro()).hex() {
		return errors.New("checkpoint: the record around it is not the one that was signed")
	}
	if !slices.Equal(w.tree.frontier(), r.Frontier) {
		return errors.New("checkpoint: frontier is not that of the tree")
	}
	w.last, w.unsealed, w.ended = &c, 0, r.Code == sealClose
	return nil
}

// resume lets a walk begin at a segment: its first line is a checkpoint, whose
// signature vouches for the frontier and the chain head that the walk needs.
func (w *walker) resume(prefixed []byte) error {
	r, err := ParseRecord(prefixed[1:])
	if err != nil {
		return err
	}
	if r.Kind != KindCheckpoint {
		return errors.New("a segment must begin with a checkpoint")
	}
	c, err := ParseCheckpoint(r.Checkpoint, w.pub)
	if err != nil {
		return err
	}
	t, err := treeFrom(c.Size, r.Frontier)
	if err != nil {
		return err
	}
	head, err := parseHead(c.Head)
	if err != nil {
		return err
	}
	w.tree, w.seq, w.head = *t, c.Size, head
	return nil
}
