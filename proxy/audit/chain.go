package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// Chain follows a log line by line and checks everything that the public key can
// show. Verifiers use it, and the writer when it opens or repairs a log. The
// zero value with a Key begins at the first line of a log.
//
// The exported fields say where the log stands after the lines that were
// checked. Callers only read them.
type Chain struct {
	Key       PublicKey   // signs the next checkpoint
	LaterKeys []PublicKey // keys that the log announced, in order

	Seq    uint64      // number of the next line
	Head   merkle.Hash // leaf hash of the last line
	Tree   merkle.Tree
	LastUS int64 // time of the last line, microseconds since 1970
	Tasks  TaskCounts

	LastCheckpoint *Checkpoint // nil if there was none yet
	Unsealed       uint64      // lines after LastCheckpoint
	Closed         bool        // the last line is a checkpoint with CodeClose
}

// parsedLine is a line with everything that can be told without its neighbours.
// Therefore lines can be parsed in any order and concurrently.
type parsedLine struct {
	lineHead
	line []byte
	leaf merkle.Hash
	err  error // why the line is not a record; nil if it is one
}

// parse parses a line that has 0x00 in front of it.
func (p *parsedLine) parse(prefixed []byte) {
	p.line = prefixed[1:]
	p.err = scanLine(p.line, &p.lineHead, nil)
	p.leaf = merkle.LeafHash(prefixed)
}

// isCheckpoint reports whether the line is a checkpoint record.
func (p *parsedLine) isCheckpoint() bool { return string(p.kind) == KindCheckpoint }

// CheckLine checks the next line, which has 0x00 in front of it. After an error
// the chain must not be used.
func (c *Chain) CheckLine(prefixed []byte) error {
	var p parsedLine
	p.parse(prefixed)

	return c.check(&p)
}

// check checks the next line and moves past it.
func (c *Chain) check(p *parsedLine) error {
	mayHaveCheckpoint := p.isCheckpoint() || string(p.kind) == KindCosigned || string(p.kind) == KindRollback
	switch {
	case p.err != nil:
		return p.err
	case p.seq != c.Seq:
		return fmt.Errorf("seq is %d, want %d: records are missing, repeated or out of order", p.seq, c.Seq)
	case p.prev != c.Head:
		return errors.New("prev is not the hash of the line before: one of the two was changed")
	case p.us < c.LastUS:
		return errors.New("time is earlier than in the line before")
	case p.hasCheckpoint != mayHaveCheckpoint:
		return errors.New("checkpoint, cosigned and rollback records must have a member checkpoint, and no others may")
	}

	if err := c.Tasks.check(p); err != nil {
		return err
	}

	c.Closed = false
	c.Unsealed++
	if p.isCheckpoint() {
		if err := c.checkCheckpoint(p); err != nil {
			return err
		}
	}
	if string(p.kind) == KindRollback {
		if err := c.checkRollback(p); err != nil {
			return err
		}
	}

	c.Head = p.leaf
	c.Tree.Add(p.leaf)
	c.Seq++
	c.LastUS = p.us

	return nil
}

// checkCheckpoint checks a checkpoint record against the lines before it.
func (c *Chain) checkCheckpoint(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	cp, err := ParseCheckpoint(r.Checkpoint, c.Key)
	if err != nil {
		return err
	}

	root := c.Tree.Root()
	switch {
	case !isCheckpointCode(r.Code):
		return fmt.Errorf("checkpoint: code %q is unknown", r.Code)
	case c.LastCheckpoint != nil && cp.Origin != c.LastCheckpoint.Origin:
		return fmt.Errorf("checkpoint: origin is %q, before it was %q", cp.Origin, c.LastCheckpoint.Origin)
	case cp.Size != c.Seq:
		return fmt.Errorf("checkpoint: it signs %d lines and follows %d", cp.Size, c.Seq)
	case cp.Root != root.Base64(), cp.Head != c.Head.Hex():
		return errors.New("checkpoint: the lines before it are not those that were signed")
	case cp.Record != CheckpointRecordHash(r, c.Seq, c.Head, p.us).Hex():
		return errors.New("checkpoint: the record around it is not the one that was signed")
	case !slices.Equal(c.Tree.Frontier(), r.Frontier):
		return errors.New("checkpoint: the frontier does not match the lines before it")
	}

	if err := c.changeKey(&r, cp); err != nil {
		return err
	}

	c.LastCheckpoint = &cp
	c.Unsealed = 0
	c.Closed = r.Code == CodeClose

	return nil
}

func isCheckpointCode(code string) bool {
	switch code {
	case CodeInterval, CodeSegment, CodeKey, CodeClose:
		return true
	}

	return false
}

// checkRollback checks that a rollback record names a checkpoint and the tree of
// the lines before it. Whose signature the checkpoint has does not matter: the
// record only says that the operator knows of it.
func (c *Chain) checkRollback(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	if _, err := parseUnverified(r.Checkpoint); err != nil {
		return fmt.Errorf("rollback: %w", err)
	}
	if !slices.Equal(c.Tree.Frontier(), r.Frontier) {
		return errors.New("rollback: the frontier does not match the lines before it")
	}

	return nil
}

// changeKey replaces the key if the checkpoint record r announces another. The
// old key signed the announcement. The new key must have signed it too, which
// shows that whoever announced the key holds it.
func (c *Chain) changeKey(r *Record, cp Checkpoint) error {
	if (r.Code == CodeKey) != (r.Key != "") {
		return errors.New("checkpoint: checkpoints with code key must announce a key, and no others may")
	}
	if r.Key == "" {
		return nil
	}

	next, err := ParsePublicKey(r.Key)
	if err != nil {
		return fmt.Errorf("checkpoint: the announced key: %w", err)
	}
	if next.Name != cp.Origin {
		return fmt.Errorf("checkpoint: the announced key belongs to %q", next.Name)
	}
	if _, err := ParseCheckpoint(r.Checkpoint, next); err != nil {
		return fmt.Errorf("checkpoint: the announced key did not sign it: %w", err)
	}

	c.Key = next
	c.LaterKeys = append(c.LaterKeys, next)

	return nil
}

// ResumeWithAny is [Chain.Resume] with the first of keys that signed the line.
func (c *Chain) ResumeWithAny(keys []PublicKey, prefixed []byte) (err error) {
	for _, key := range keys {
		c.Key = key
		err = c.Resume(prefixed)
		if err == nil {
			return nil
		}
	}

	return err
}

// Resume lets a chain begin at a segment other than the first. prefixed is the
// segment's first line with 0x00 in front of it. The line is a checkpoint, whose
// signature vouches for the frontier and the hash that the chain needs. If it
// announces a key, c.Key may be that key, because it signed the line as well.
//
// The caller must pass the same line to CheckLine next.
func (c *Chain) Resume(prefixed []byte) error {
	r, err := ParseRecord(prefixed[1:])
	if err != nil {
		return err
	}
	if r.Kind != KindCheckpoint {
		return errors.New("a segment must begin with a checkpoint")
	}

	cp, err := ParseCheckpoint(r.Checkpoint, c.Key)
	if err != nil {
		return err
	}
	tree, err := merkle.TreeFromFrontier(cp.Size, r.Frontier)
	if err != nil {
		return err
	}
	head, err := merkle.ParseHex(cp.Head)
	if err != nil {
		return err
	}

	c.Tree = *tree
	c.Seq = cp.Size
	c.Head = head
	c.Tasks.resumed = true

	return nil
}
