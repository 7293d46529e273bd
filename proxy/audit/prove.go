package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrNotSealed is in the error of who asks for a proof too early.
var ErrNotSealed = errors.New("no checkpoint covers it yet")

// Prove makes the bundle that shows a record to who has the public keys alone.
// It reads the tiles beside the log; where there are none, or not enough, or
// damaged ones, it makes the tree from the segments in a folder of its own,
// and progress hears of it.
func Prove(dir, id string, progress func(done, total int64)) (*InclusionProof, error) {
	seq, line, err := locate(dir, id)
	if err != nil {
		return nil, fmt.Errorf("audit: prove: %w", err)
	}
	b := &InclusionProof{Index: seq, Line: line}
	err = withTiles(dir, seq, progress, func(files Tiles) error {
		signed, c, err := files.WitnessedCheckpoint()
		if err == nil && c.Size <= seq {
			signed, c, err = files.Checkpoint() // newer, perhaps with fewer witnesses
		}
		if err != nil {
			return err
		}
		if c.Size <= seq {
			return fmt.Errorf("record %s is line %d of the log: %w", id, seq, ErrNotSealed)
		}
		root, _ := merkle.ParseBase64(c.Root)
		p, err := tlog.ProveRecord(int64(c.Size), int64(seq), files.HashReader(c.Size, root))
		if err != nil {
			return err
		}
		b.Note, b.Proof = signed, texts(p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: prove: %w", err)
	}
	return b, nil
}

// ProveConsistency shows that the checkpoint of one size goes on from that of
// another. Both must be checkpoints of the log; a newer size of 0 is the newest
// published one.
func ProveConsistency(dir string, older, newer uint64, progress func(done, total int64)) (*ConsistencyProof, error) {
	b := &ConsistencyProof{}
	err := withTiles(dir, max(older, newer), progress, func(files Tiles) error {
		signed, c, err := files.Checkpoint()
		if err != nil {
			return err
		}
		if b.New = signed; newer != 0 {
			if b.New, c, err = checkpointAt(dir, newer); err != nil {
				return err
			}
		}
		var from Checkpoint
		if b.Old, from, err = checkpointAt(dir, older); err != nil {
			return err
		}
		if from.Size > c.Size {
			return fmt.Errorf("the checkpoint of %d lines comes after that of %d: %w", from.Size, c.Size, ErrNotSealed)
		}
		b.Proof, err = files.ProveConsistency(from.Size, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: prove: %w", err)
	}
	return b, nil
}

// ProveConsistency proves that c goes on from the tree of size from.
func (f Tiles) ProveConsistency(from uint64, c Checkpoint) ([]string, error) {
	if from == 0 || from == c.Size {
		return nil, nil
	}
	root, err := merkle.ParseBase64(c.Root)
	if err != nil {
		return nil, err
	}
	p, err := tlog.ProveTree(int64(c.Size), int64(from), f.HashReader(c.Size, root))
	return texts(p), err
}

func texts(p []tlog.Hash) (out []string) {
	for _, h := range p {
		out = append(out, h.String())
	}
	return out
}

// withTiles calls do with the tiles beside the log and, should that fail, with
// tiles made afresh.
func withTiles(dir string, seq uint64, progress func(done, total int64), do func(Tiles) error) error {
	kept := TilesOf(dir)
	if _, c, err := kept.Checkpoint(); err == nil && c.Size >= seq {
		if err := do(kept); err == nil || errors.Is(err, ErrNotSealed) || errors.Is(err, ErrNoRecord) {
			return err
		}
	}
	tmp, err := os.MkdirTemp("", "byline-tiles-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	t, err := OpenTiler(dir, tmp, false)
	if err == nil {
		err = t.Advance(nil, heard(progress))
	}
	if err != nil {
		return err
	}
	err = do(t.files)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotSealed
	}
	return err
}

func heard(progress func(done, total int64)) func(done, total int64) error {
	if progress == nil {
		return nil
	}
	return func(done, total int64) error { progress(done, total); return nil }
}

// checkpointAt is the checkpoint that covers so many lines.
func checkpointAt(dir string, size uint64) (signed string, c Checkpoint, err error) {
	line, err := lineAt(dir, size)
	if err != nil {
		return "", c, err
	}
	r, err := ParseRecord(line)
	if err == nil && r.Kind != KindCheckpoint {
		err = fmt.Errorf("%w: line %d is no checkpoint", ErrNoRecord, size)
	}
	if err != nil {
		return "", c, err
	}
	c, err = unverified(r.Checkpoint)
	return r.Checkpoint, c, err
}

// lineAt is the line with that seq.
func lineAt(dir string, seq uint64) ([]byte, error) {
	segs, err := segment.List(dir)
	if err != nil {
		return nil, err
	}
	i := segment.IndexOf(segs, seq)
	if i < 0 {
		return nil, fmt.Errorf("%w: line %d", ErrNoRecord, seq)
	}
	n := segs[i].First
	var found []byte
	err = segment.EachLine(segs[i].Path, func(line []byte) error {
		if n == seq {
			found = bytes.Clone(line)
			return segment.ErrStop
		}
		n++
		return nil
	})
	if found == nil && err == nil {
		err = fmt.Errorf("%w: line %d", ErrNoRecord, seq)
	}
	if found != nil {
		err = nil
	}
	return found, err
}
