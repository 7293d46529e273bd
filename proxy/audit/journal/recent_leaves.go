package journal

import (
	"sync"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
)

const maxFresh = 1 << 18 // leaf hashes that are kept: 8 MiB

// fresh are the leaf hashes of the newest durable lines. The committer had to
// make them for the chain; whoever builds tiles need not read and hash the same
// lines again. What is not here lies in the segments. The zero value is empty
// and ready.
type fresh struct {
	mu     sync.Mutex
	from   uint64 // seq of the first
	leaves []merkle.Hash
	sealed uint64 // seq of the newest checkpoint, and its signed note
	note   string // "": there is none among them
}

// add takes the leaves of lines that became durable, the first with seq from,
// and the note of the newest checkpoint among them, the line with seq sealed.
func (f *fresh) add(from uint64, leaves []merkle.Hash, sealed uint64, note string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from != f.from+uint64(len(f.leaves)) || len(f.leaves)+len(leaves) > maxFresh {
		f.from, f.leaves, f.note = from, f.leaves[:0], ""
	}
	f.leaves = append(f.leaves, leaves...)
	if note != "" {
		f.sealed, f.note = sealed, note
	}
}

// take gives the leaves from seq from up to and without seq upto to each, if
// all of them are here, and lets go of them and those before. note is that of
// the checkpoint at seq sealed if it is among them, else "".
func (f *fresh) take(from, upto uint64, each func(leaves []merkle.Hash, sealed uint64, note string) error) (bool, error) {
	f.mu.Lock()
	end := f.from + uint64(len(f.leaves))
	if from < f.from || upto > end || from > upto {
		f.mu.Unlock()
		return false, nil
	}
	sealed, note := f.sealed, f.note
	if note != "" && (sealed < from || sealed >= upto) {
		note = ""
	}
	leaves := append([]merkle.Hash(nil), f.leaves[from-f.from:upto-f.from]...)
	f.leaves = f.leaves[:copy(f.leaves, f.leaves[upto-f.from:])]
	f.from = upto
	f.mu.Unlock()
	return true, each(leaves, sealed, note)
}
