package audit

import (
	"cmp"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// ProveMany makes the proofs of many records of the log under one
// checkpoint. It calls yield with each record and its proof; an error of yield
// ends it. last is the Seq of the last record. For tiles and progress see
// [Prove].
//
// It leaves out records that no checkpoint covers yet and returns their number.
// If the tiles next to the log turn out to be damaged halfway, ProveMany starts
// again with new ones, and yield gets the first records a second time.
func (f Folders) ProveMany(records iter.Seq2[Record, error], last uint64, progress func(done, total int64),
	yield func(*Record, *InclusionProof) error) (unsealed int, err error) {

	var yieldErr error
	err = f.withTiles(last, progress, func(tiles Tiles) error {
		unsealed = 0
		signed, c, err := tiles.newestCheckpointOver(last)
		if err != nil {
			return err
		}
		root, err := merkle.ParseBase64(c.Root)
		if err != nil {
			return err
		}

		reader := tiles.HashReader(c.Size, root)
		for r, err := range records {
			if err != nil {
				return err
			}
			if r.Seq >= c.Size {
				unsealed++
				continue
			}

			hashes, err := tlog.ProveRecord(int64(c.Size), int64(r.Seq), reader)
			if err != nil {
				return err
			}
			yieldErr = yield(&r, &InclusionProof{
				Index: r.Seq,
				Line:  r.Line(),
				Proof: formatProofHashes(hashes),
				Note:  signed,
			})
			if yieldErr != nil {
				return nil // not the tiles' fault: do not try others
			}
		}

		return nil
	})

	if errors.Is(err, ErrNotSealed) {
		unsealed, err = countRecords(records) // the log has not written its first checkpoint
	}
	err = cmp.Or(err, yieldErr)
	if err != nil {
		return unsealed, fmt.Errorf("audit: prove: %w", err)
	}

	return unsealed, nil
}

func countRecords(records iter.Seq2[Record, error]) (n int, err error) {
	for _, err := range records {
		if err != nil {
			return n, err
		}
		n++
	}

	return n, nil
}
