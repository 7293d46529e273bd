package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

func lineHash(line []byte) merkle.Hash { return sha256.Sum256(line) }

// Chain follows the chain line by line and checks all that the public key can
// show. Writer and verifier use the same one.
type Chain struct {
	Key            PublicKey   // of the next checkpoint
	LaterKeys      []PublicKey // those that took over
	Seq            uint64
	Head           merkle.Hash
	Tree           merkle.Tree
	LastUS         int64
	Tasks          TaskCounts
	LastCheckpoint *Checkpoint // nil: none yet
	Unsealed       uint64      // lines after it
	Closed         bool        // the last line is a closing checkpoint
}

// parsed is what can be told of a line by itself, in any order.
type parsed struct {
	view
	line []byte
	leaf merkle.Hash
	err  error
}

// parse takes a line with a 0x00 in front of it.
func (p *parsed) parse(prefixed []byte) {
	p.line = prefixed[1:]
	p.err = scan(p.line, &p.view, nil)
	p.leaf = merkle.LeafHash(prefixed)
}

// CheckLine takes the next line, with a 0x00 in front of it.
func (w *Chain) CheckLine(prefixed []byte) error {
	var p parsed
	p.parse(prefixed)
	return w.take(&p)
}

// take takes the next line.
func (w *Chain) take(p *parsed) error {
	switch {
	case p.err != nil:
		return p.err
	case p.seq != w.Seq:
		return fmt.Errorf("seq is %d, want %d: records are missing, repeated or out of order", p.seq, w.Seq)
	case p.prev != w.Head:
		return errors.New("prev is not the hash of the line before: one of the two was changed")
	case p.us < w.LastUS:
		return errors.New("time is before that of the line before")
	case p.signed != (string(p.kind) == KindCheckpoint || string(p.kind) == KindCosigned):
		return errors.New("a checkpoint stands on checkpoint and cosigned records, and on no other")
	}
	if err := w.Tasks.take(p); err != nil {
		return err
	}
	w.Closed = false
	w.Unsealed++
	if string(p.kind) == KindCheckpoint {
		if err := w.checkpoint(p); err != nil {
			return err
		}
	}
	w.Head = p.leaf
	w.Tree.Add(p.leaf)
	w.Seq++
	w.LastUS = p.us
	return nil
}

// checkpoint checks a checkpoint record against the lines before it.
func (w *Chain) checkpoint(p *parsed) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	c, err := ParseCheckpoint(r.Checkpoint, w.Key)
	if err != nil {
		return err
	}
	if w.LastCheckpoint != nil && c.Origin != w.LastCheckpoint.Origin {
		return fmt.Errorf("checkpoint: origin is %q, before it was %q", c.Origin, w.LastCheckpoint.Origin)
	}
	root := w.Tree.Root()
	switch {
	case c.Size != w.Seq:
		return fmt.Errorf("checkpoint: signed for %d lines, stands after %d", c.Size, w.Seq)
	case c.Root != root.Base64(), c.Head != w.Head.Hex():
		return errors.New("checkpoint: the lines before it are not those that were signed")
	}
	if c.Record != CheckpointRecordHash(r, w.Seq, w.Head, p.us).Hex() {
		return errors.New("checkpoint: the record around it is not the one that was signed")
	}
	if !slices.Equal(w.Tree.Frontier(), r.Frontier) {
		return errors.New("checkpoint: frontier is not that of the tree")
	}
	if err := w.follow(&r, c); err != nil {
		return err
	}
	w.LastCheckpoint, w.Unsealed, w.Closed = &c, 0, r.Code == CodeClose
	return nil
}

// follow goes over to the key that r announces, if it announces one. The old
// key signed the announcement, and the new one too: who announced it has it.
func (w *Chain) follow(r *Record, c Checkpoint) error {
	if (r.Code == CodeKey) != (r.Key != "") {
		return errors.New("checkpoint: a key is announced by a checkpoint with code key, and by no other")
	}
	if r.Key == "" {
		return nil
	}
	next, err := ParsePublicKey(r.Key)
	if err != nil {
		return fmt.Errorf("checkpoint: the announced key: %w", err)
	}
	if next.Name != c.Origin {
		return fmt.Errorf("checkpoint: the announced key is that of %q", next.Name)
	}
	if _, err := ParseCheckpoint(r.Checkpoint, next); err != nil {
		return fmt.Errorf("checkpoint: the announced key did not sign it: %w", err)
	}
	w.Key, w.LaterKeys = next, append(w.LaterKeys, next)
	return nil
}

// Resume lets a walk begin at a segment: its first line is a checkpoint, whose
// signature vouches for the frontier and the chain head that the walk needs. A
// checkpoint that announced the key is signed by it, too.
func (w *Chain) Resume(prefixed []byte) error {
	r, err := ParseRecord(prefixed[1:])
	if err != nil {
		return err
	}
	if r.Kind != KindCheckpoint {
		return errors.New("a segment must begin with a checkpoint")
	}
	c, err := ParseCheckpoint(r.Checkpoint, w.Key)
	if err != nil {
		return err
	}
	t, err := merkle.TreeFromFrontier(c.Size, r.Frontier)
	if err != nil {
		return err
	}
	head, err := merkle.ParseHex(c.Head)
	if err != nil {
		return err
	}
	w.Tree, w.Seq, w.Head = *t, c.Size, head
	w.Tasks.resumed = true
	return nil
}
