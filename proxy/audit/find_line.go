package audit

import (
	"bytes"
	"errors"
	"fmt"
	"sort"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// findLine finds the line of the record with that ID and returns its number and
// its bytes. The ID tells when the record was made, so findLine first reads the
// segment of that time, then those nearest to it.
func (f Folders) findLine(id string) (seq uint64, line []byte, err error) {
	files, err := f.segments()
	if err != nil {
		return 0, nil, err
	}
	order, err := orderByLikelihood(files, id)
	if err != nil {
		return 0, nil, err
	}

	pattern := append([]byte(`,"id":`), appendString(nil, id)...)
	for _, i := range order {
		seq = files[i].First
		err := files[i].EachLine(func(l []byte) error {
			if bytes.Contains(l, pattern) {
				r, err := ParseRecord(l)
				if err != nil {
					return err
				}
				if r.ID == id {
					line = bytes.Clone(l)
					return segment.ErrStop
				}
			}
			seq++
			return nil
		})
		if errors.Is(err, segment.ErrStop) {
			return seq, line, nil
		}
		if err != nil {
			return 0, nil, err
		}
	}

	return 0, nil, fmt.Errorf("%w: %s in %s", ErrNoRecord, id, f)
}

// orderByLikelihood returns the indexes of files, the most likely to hold the
// record with that ID first.
func orderByLikelihood(files []segment.File, id string) (order []int, err error) {
	likely := len(files) - 1
	if at, ok := parseIDTime(id); ok {
		likely, err = segmentAtTime(files, at.UnixMicro())
		if err != nil {
			return nil, err
		}
	}

	add := func(i int) {
		if i >= 0 && i < len(files) {
			order = append(order, i)
		}
	}
	add(likely)
	for distance := 1; distance <= len(files); distance++ {
		add(likely + distance) // first, because a record is written a little after its ID is made
		add(likely - distance)
	}

	return order, nil
}

// segmentAtTime returns the index of the last segment that began at us or
// before, in microseconds since 1970, or -1 if there is none.
func segmentAtTime(files []segment.File, us int64) (int, error) {
	var readErr error
	later := sort.Search(len(files), func(i int) bool {
		first, err := readFirstTime(files[i])
		readErr = errors.Join(readErr, err)
		return first > us
	})

	return later - 1, readErr
}

// readFirstTime returns the time of a segment's first line, in microseconds
// since 1970, or 0 if the segment has no line.
func readFirstTime(f segment.File) (us int64, err error) {
	err = f.EachLine(func(line []byte) error {
		var head lineHead
		if err := scanLine(line, &head, nil); err != nil {
			return err
		}
		us = head.us
		return segment.ErrStop
	})
	if errors.Is(err, segment.ErrStop) {
		err = nil
	}

	return us, err
}

// findCheckpoint returns the checkpoint that covers size lines.
func (f Folders) findCheckpoint(size uint64) (signed string, c Checkpoint, err error) {
	line, err := f.readLine(size)
	if err != nil {
		return "", c, err
	}
	r, err := ParseRecord(line)
	if err != nil {
		return "", c, err
	}
	if r.Kind != KindCheckpoint {
		return "", c, fmt.Errorf("%w: line %d is not a checkpoint", ErrNoRecord, size)
	}

	c, err = parseUnverified(r.Checkpoint)

	return r.Checkpoint, c, err
}

// Holds reports whether the log holds the record that carries the checkpoint c. It
// checks no signature. The error is ErrNoRecord if the log holds no record with
// that number.
func (f Folders) Holds(c Checkpoint) (bool, error) {
	line, err := f.readLine(c.Size)
	if err != nil {
		return false, err
	}

	return carriesCheckpoint(line, c), nil
}

// readLine returns the line with that number.
func (f Folders) readLine(seq uint64) (line []byte, err error) {
	files, err := f.segments()
	if err != nil {
		return nil, err
	}
	i := segment.IndexOf(files, seq)
	if i < 0 {
		return nil, fmt.Errorf("%w: line %d", ErrNoRecord, seq)
	}

	n := files[i].First
	err = files[i].EachLine(func(l []byte) error {
		if n == seq {
			line = bytes.Clone(l)
			return segment.ErrStop
		}
		n++
		return nil
	})
	if errors.Is(err, segment.ErrStop) {
		return line, nil
	}
	if err != nil {
		return nil, err
	}

	return nil, fmt.Errorf("%w: line %d", ErrNoRecord, seq)
}
