package audit

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// ErrNotSealed is in the error for a proof of something that no published
// checkpoint covers yet.
var ErrNotSealed = errors.New("no checkpoint covers it yet")

// Prove makes the proof that shows the record with that ID to whoever has the
// public keys alone.
//
// It reads the tiles next to the log. If they are missing, damaged or do
// not reach far enough, it makes them from the segments in a temporary
// directory; then it calls progress, which may be nil, with bytes read and total
// bytes.
//
// The error is ErrNoRecord if the log has no such record, and ErrNotSealed if no
// checkpoint covers it.
func (f Folders) Prove(id string, progress func(done, total int64)) (*InclusionProof, error) {
	seq, line, err := f.findLine(id)
	if err != nil {
		return nil, fmt.Errorf("audit: prove: %w", err)
	}

	p := &InclusionProof{Index: seq, Line: line}
	err = f.withTiles(seq, progress, func(tiles Tiles) error {
		signed, c, err := tiles.newestCheckpointOver(seq)
		if err != nil {
			return err
		}
		if c.Size <= seq {
			return fmt.Errorf("record %s is line %d of the log: %w", id, seq, ErrNotSealed)
		}

		root, _ := merkle.ParseBase64(c.Root) // a checkpoint that was parsed has a valid root
		hashes, err := tlog.ProveRecord(int64(c.Size), int64(seq), tiles.HashReader(c.Size, root))
		if err != nil {
			return err
		}

		p.Note = signed
		p.Proof = formatProofHashes(hashes)

		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: prove: %w", err)
	}

	return p, nil
}

// ProveConsistency makes the proof that the checkpoint over newer lines
// continues the checkpoint over older lines. The log must have
// checkpoints of these sizes; a newer size of 0 means the published checkpoint.
// For progress and errors see [Prove].
func (f Folders) ProveConsistency(older, newer uint64, progress func(done, total int64)) (*ConsistencyProof, error) {
	p := &ConsistencyProof{}

	err := f.withTiles(max(older, newer), progress, func(tiles Tiles) error {
		signed, c, err := tiles.Checkpoint()
		if err != nil {
			return err
		}
		if newer != 0 {
			signed, c, err = f.findCheckpoint(newer)
			if err != nil {
				return err
			}
		}
		p.New = signed

		var from Checkpoint
		p.Old, from, err = f.findCheckpoint(older)
		if err != nil {
			return err
		}
		if from.Size > c.Size {
			return fmt.Errorf("the checkpoint of %d lines comes after that of %d: %w", from.Size, c.Size, ErrNotSealed)
		}

		p.Proof, err = tiles.ProveConsistency(from.Size, c)

		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: prove: %w", err)
	}

	return p, nil
}

// withTiles calls do with the tiles next to the log, if they reach line seq. If
// they do not, or if do fails because they are damaged, it calls do with tiles
// that it makes from the segments. If the first segments are elsewhere, nobody can
// make tiles from the others, and do gets those next to the log, however far they reach.
func (f Folders) withTiles(seq uint64, progress func(done, total int64), do func(Tiles) error) error {
	kept := f.tiles()
	_, c, err := kept.Checkpoint()
	if err == nil && c.Size >= seq {
		err := do(kept)
		if err == nil || errors.Is(err, ErrNotSealed) || errors.Is(err, ErrNoRecord) {
			return err
		}
	}

	tmp, err := os.MkdirTemp("", "byline-tiles-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	tiler, err := f.OpenTiler(tmp, false)
	if errors.Is(err, ErrSegmentsElsewhere) && c.Size > 0 && c.Size < seq {
		return do(kept)
	}
	if err != nil {
		return err
	}
	if err := tiler.Advance(nil, withoutError(progress)); err != nil {
		return err
	}

	err = do(tiler.tiles)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotSealed // not even a first checkpoint was written
	}

	return err
}

// withoutError makes a progress function for a Tiler from one that cannot fail.
// It returns nil for nil.
func withoutError(progress func(done, total int64)) func(done, total int64) error {
	if progress == nil {
		return nil
	}

	return func(done, total int64) error {
		progress(done, total)
		return nil
	}
}
