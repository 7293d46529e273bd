package audit

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// locate finds the line of the record with that id. An id says when it was
// made, so the segment that held that time is looked at first; the others only
// when it is not there, as for an id that a caller chose.
func locate(dir, id string) (seq uint64, line []byte, err error) {
	segs, err := segment.List(dir)
	if err != nil {
		return 0, nil, err
	}
	order, err := byTime(segs, id)
	if err != nil {
		return 0, nil, err
	}
	needle := append([]byte(`,"id":`), AppendString(nil, id)...)
	for _, i := range order {
		seq = segs[i].First
		err := segment.EachLine(segs[i].Path, func(l []byte) error {
			if bytes.Contains(l, needle) {
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
	return 0, nil, fmt.Errorf("%w: %s in %s", ErrNoRecord, id, dir)
}

// byTime orders segments by how likely they hold the id.
func byTime(segs []segment.File, id string) ([]int, error) {
	likely := len(segs) - 1
	if at, ok := idTime(id); ok {
		var failed error
		likely = sort.Search(len(segs), func(i int) bool {
			us, err := firstTime(segs[i].Path)
			failed = errors.Join(failed, err)
			return us > at.UnixMicro()
		}) - 1
		if failed != nil {
			return nil, failed
		}
	}
	var order []int
	add := func(i int) {
		if i >= 0 && i < len(segs) {
			order = append(order, i)
		}
	}
	add(likely)
	for d := 1; d <= len(segs); d++ { // a record's time is a little later than its id's
		add(likely + d)
		add(likely - d)
	}
	return order, nil
}

// firstTime is that of a segment's first line, in microseconds.
func firstTime(path string) (us int64, err error) {
	err = segment.EachLine(path, func(line []byte) error {
		var v view
		if err := scan(line, &v, nil); err != nil {
			return err
		}
		us = v.us
		return segment.ErrStop
	})
	if errors.Is(err, segment.ErrStop) {
		err = nil
	}
	return us, err
}

// idTime is when an id of NewID was made.
func idTime(id string) (time.Time, bool) {
	if len(id) != 28 || id[:2] != "r_" {
		return time.Time{}, false
	}
	ms := int64(0)
	for _, b := range []byte(id[2:12]) {
		i := strings.IndexByte(base32Digits, b)
		if i < 0 {
			return time.Time{}, false
		}
		ms = ms<<5 | int64(i)
	}
	return time.UnixMilli(ms), true
}

// Find returns the record with that id and those whose intent it is, in order;
// nil when there is none.
func Find(dir, id string) (found []Record, err error) {
	segs, err := segment.List(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: find: %w", err)
	}
	quoted := AppendString(nil, id)
	for _, s := range segs {
		err := segment.EachLine(s.Path, func(line []byte) error {
			if !bytes.Contains(line, quoted) {
				return nil
			}
			r, err := ParseRecord(line)
			if err == nil && (r.ID == id || r.Intent == id) {
				found = append(found, r)
			}
			return err
		})
		if err != nil {
			return found, fmt.Errorf("audit: find: %w", err)
		}
	}
	return found, nil
}
