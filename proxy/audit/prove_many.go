package audit

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"golang.org/x/mod/sumdb/tlog"
)

// ProveMany makes the bundles of many records of the log in dir under one
// checkpoint, one after the other, and hands each with its record to yield,
// whose error ends it. last is the seq of the last of them: tiles that do not
// reach it are made afresh. Records that no checkpoint covers yet are left out
// and counted. Should tiles prove to be damaged half way, yield gets records
// again.
func ProveMany(dir string, records iter.Seq2[Record, error], last uint64, progress func(done, total int64), yield func(*Record, *InclusionProof) error) (unsealed int, err error) {
	var stopped error
	err = withTiles(dir, last, progress, func(files Tiles) error {
		unsealed = 0
		signed, c, err := files.WitnessedCheckpoint()
		if err != nil || c.Size <= last {
			signed, c, err = files.Checkpoint() // newer, perhaps with fewer witnesses
		}
		if err != nil {
			return err
		}
		root, err := merkle.ParseBase64(c.Root)
		if err != nil {
			return err
		}
		hashes := files.HashReader(c.Size, root)
		for r, err := range records {
			if err != nil {
				return err
			}
			if r.Seq >= c.Size {
				unsealed++
				continue
			}
			p, err := tlog.ProveRecord(int64(c.Size), int64(r.Seq), hashes)
			if err != nil {
				return err
			}
			if stopped = yield(&r, &InclusionProof{Index: r.Seq, Line: r.Line(), Proof: texts(p), Note: signed}); stopped != nil {
				return nil
			}
		}
		return nil
	})
	if err = cmp.Or(err, stopped); err != nil {
		return unsealed, fmt.Errorf("audit: prove: %w", err)
	}
	return unsealed, nil
}
