package audit

import (
	"errors"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// SegmentInfo describes a segment of a log.
type SegmentInfo struct {
	Path   string
	Copies []string  // paths of the same segment in later folders
	First  uint64    // number of its first line
	Next   uint64    // number of the line after its last; 0 for the last segment, which may grow
	End    time.Time // no record in it is newer; zero for the last segment
	Root   string    // Merkle root of the lines before Next, in base64; empty for the last segment
}

// Segments describes the segments of the log, in order. It reads the first line of
// each and verifies nothing.
func (f Folders) Segments() (all []SegmentInfo, err error) {
	files, err := f.segments()
	if err != nil {
		return nil, err
	}

	for i, file := range files {
		all = append(all, SegmentInfo{Path: file.Path, Copies: file.Copies, First: file.First})
		if i == 0 {
			continue
		}

		at, c, err := readFirstCheckpoint(file)
		if err != nil {
			return nil, err
		}
		if c.Size != file.First {
			continue // what follows is missing, or was never acknowledged
		}
		all[i-1].Next = file.First
		all[i-1].End = at
		all[i-1].Root = c.Root
	}

	return all, nil
}

// readFirstCheckpoint returns the checkpoint with which a segment begins, unverified,
// and its time, or zero values if it begins with none.
func readFirstCheckpoint(f segment.File) (at time.Time, c Checkpoint, err error) {
	err = f.EachLine(func(line []byte) error {
		r, err := ParseRecord(line)
		if err == nil && r.Kind == KindCheckpoint {
			at = r.Time
			c, _ = parseUnverified(r.Checkpoint)
		}
		return segment.ErrStop
	})
	if errors.Is(err, segment.ErrStop) {
		err = nil
	}

	return at, c, err
}

// SegmentStart returns the checkpoint with which a file begins, a segment other than
// the first of a log, without checking its signature.
func SegmentStart(path string) (Checkpoint, error) {
	_, c, err := readFirstCheckpoint(segment.File{Path: path})
	if err == nil && c.Size == 0 {
		err = errors.New("it does not begin with a checkpoint")
	}

	return c, err
}
