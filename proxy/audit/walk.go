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
	pub      PublicKey   // of the next checkpoint
	keys     []PublicKey // those that took over
	seq      uint64
	head     hash
	tree     tree
	lastUS   int64
	tasks    counts
	last     *Checkpoint // nil: none yet
	unsealed uint64      // lines after it
	ended    bool        // the last line is a closing checkpoint
}

// parsed is what can be told of a line by itself, in any order.
type parsed struct {
	view
	line []byte
	leaf hash
	err  error
}

// parse takes a line with a 0x00 in front of it.
func (p *parsed) parse(prefixed []byte) {
	p.line = prefixed[1:]
	p.err = scan(p.line, &p.view, nil)
	p.leaf = leafHash(prefixed)
}

// step takes the next line, with a 0x00 in front of it.
func (w *walker) step(prefixed []byte) error {
	var p parsed
	p.parse(prefixed)
	return w.take(&p)
}

// take takes the next line.
func (w *walker) take(p *parsed) error {
	switch {
	case p.err != nil:
		return p.err
	case p.seq != w.seq:
		return fmt.Errorf("seq is %d, want %d: records are missing, repeated or out of order", p.seq, w.seq)
	case p.prev != w.head:
		return errors.New("prev is not the hash of the line before: one of the two was changed")
	case p.us < w.lastUS:
		return errors.New("time is before that of the line before")
	case p.signed != (string(p.kind) == KindCheckpoint || string(p.kind) == KindCosigned):
		return errors.New("a checkpoint stands on checkpoint and cosigned records, and on no other")
	}
	if err := w.tasks.take(p); err != nil {
		return err
	}
	w.ended = false
	w.unsealed++
	if string(p.kind) == KindCheckpoint {
		if err := w.checkpoint(p); err != nil {
			return err
		}
	}
	w.head = p.leaf
	w.tree.add(p.leaf)
	w.seq++
	w.lastUS = p.us
	return nil
}

// checkpoint checks a checkpoint record against the lines before it.
func (w *walker) checkpoint(p *parsed) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
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
	if c.Record != carrier(r, w.seq, w.head, p.us).hex() {
		return errors.New("checkpoint: the record around it is not the one that was signed")
	}
	if !slices.Equal(w.tree.frontier(), r.Frontier) {
		return errors.New("checkpoint: frontier is not that of the tree")
	}
	if err := w.follow(&r, c); err != nil {
		return err
	}
	w.last, w.unsealed, w.ended = &c, 0, r.Code == sealClose
	return nil
}

// follow goes over to the key that r announces, if it announces one. The old
// key signed the announcement, and the new one too: who announced it has it.
func (w *walker) follow(r *Record, c Checkpoint) error {
	if (r.Code == sealKey) != (r.Key != "") {
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
	w.pub, w.keys = next, append(w.keys, next)
	return nil
}

// resume lets a walk begin at a segment: its first line is a checkpoint, whose
// signature vouches for the frontier and the chain head that the walk needs. A
// checkpoint that announced the key is signed by it, too.
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
	w.tasks.resumed = true
	return nil
}
