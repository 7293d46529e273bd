package journal

import (
	"sync"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

// maxRecentLeaves bounds the leaf hashes in memory: 8 MiB.
const maxRecentLeaves = 1 << 18

// recentLeaves holds the leaf hashes of the newest durable lines. The committer
// computes them for the chain, and the publisher takes them, so it need not read
// and hash the same lines again. Hashes that are not here can be computed from
// the segments. The zero value is empty and ready. It may be used concurrently.
type recentLeaves struct {
	mu     sync.Mutex
	from   uint64 // seq of the first leaf
	leaves []merkle.Hash

	checkpointSeq  uint64 // seq of the newest checkpoint that was added
	checkpointNote string // its signed note; empty if there was none since the last gap
}

// add adds the leaves of lines that became durable, the first with the number
// from. If note is not empty, it is the signed note of the newest checkpoint
// among the lines, which has the number checkpointSeq. If the leaves do not
// continue those that are here, or would be too many with them, they replace
// them.
func (r *recentLeaves) add(from uint64, leaves []merkle.Hash, checkpointSeq uint64, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	next := r.from + uint64(len(r.leaves))
	if from != next || len(r.leaves)+len(leaves) > maxRecentLeaves {
		r.from = from
		r.leaves = r.leaves[:0]
		r.checkpointNote = ""
	}

	r.leaves = append(r.leaves, leaves...)
	if note != "" {
		r.checkpointSeq = checkpointSeq
		r.checkpointNote = note
	}
}

// take removes the leaves before the number end and calls do with those from the
// number from on. note is that of the newest checkpoint if it is among them, else
// empty. If some of the leaves are not here, take returns false and does neither.
func (r *recentLeaves) take(from, end uint64, do func(leaves []merkle.Hash, checkpointSeq uint64, note string) error) (bool, error) {
	r.mu.Lock()
	next := r.from + uint64(len(r.leaves))
	if from < r.from || end > next || from > end {
		r.mu.Unlock()
		return false, nil
	}

	checkpointSeq := r.checkpointSeq
	note := r.checkpointNote
	if note != "" && (checkpointSeq < from || checkpointSeq >= end) {
		note = ""
	}
	leaves := append([]merkle.Hash(nil), r.leaves[from-r.from:end-r.from]...)
	r.leaves = r.leaves[:copy(r.leaves, r.leaves[end-r.from:])]
	r.from = end
	r.mu.Unlock()

	return true, do(leaves, checkpointSeq, note) // not under mu, because it writes tiles
}
