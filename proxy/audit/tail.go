package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// followInterval is the time after which Tail looks for new records.
const followInterval = 200 * time.Millisecond

// Tail yields the last n records of the log, the oldest first. If follow
// is set it then yields new records until ctx is done. It checks that lines are
// records, not the chain; see [Verify]. It yields an error as its last pair.
//
// Tail may run while the log is written. It may then yield a record just before
// the record is durable.
func (f Folders) Tail(ctx context.Context, n int, follow bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		t := &tailReader{ctx: ctx, log: f, yield: yield}
		if err := t.run(n, follow); err != nil {
			yield(Record{}, fmt.Errorf("audit: tail: %w", err))
		}
	}
}

// tailReader is one iteration over Tail.
type tailReader struct {
	ctx     context.Context
	log     Folders
	yield   func(Record, error) bool
	stopped bool // the consumer wants no more

	skip    int    // records still to pass over
	started bool   // a segment is being read
	first   uint64 // number of its first line
	off     int64  // offset of the next line in it
}

func (t *tailReader) run(n int, follow bool) error {
	files, err := t.log.segments()
	if err != nil {
		return err
	}
	first, err := t.findStart(files, n)
	if err != nil {
		return err
	}

	for _, f := range files[first:] {
		if err := t.readSegment(f); err != nil || t.stopped {
			return err
		}
	}

	for follow && !t.stopped {
		select {
		case <-t.ctx.Done():
			return nil
		case <-time.After(followInterval):
		}
		if err := t.readNew(); err != nil {
			return err
		}
	}

	return nil
}

// findStart returns the index of the segment to begin with, and sets skip to the
// records in it that come before the last n of the log.
func (t *tailReader) findStart(files []segment.File, n int) (first int, err error) {
	first = len(files)
	have := 0
	for first > 0 && have < n {
		first--
		lines, err := files[first].CountLines()
		if err != nil {
			return 0, err
		}
		have += lines
	}
	t.skip = max(0, have-n)

	if first > 0 && first == len(files) { // n is 0: begin after the records that are there
		first--
		t.skip, err = files[first].CountLines()
	}

	return first, err
}

// readNew reads the records that came since the last call. It lists the segments
// before it reads the current one to its end: if there is a later segment, the
// current one is complete.
func (t *tailReader) readNew() error {
	files, err := t.log.segments()
	if err != nil {
		return err
	}

	for _, f := range files {
		if t.started && f.First < t.first {
			continue
		}
		if err := t.readSegment(f); err != nil || t.stopped {
			return err
		}
	}

	return nil
}

// readSegment yields the records of a segment, from where the last call stopped
// if that was in the same segment.
func (t *tailReader) readSegment(s segment.File) error {
	f, err := s.Open()
	if err != nil {
		return err
	}
	defer f.Close()

	if !t.started || s.First != t.first {
		t.started = true
		t.first = s.First
		t.off = 0
	}
	start := t.off
	in := segment.NewLiveReader(io.NewSectionReader(f, start, 1<<62))

	for t.ctx.Err() == nil {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}

		t.off = start + in.Offset
		if t.skip > 0 {
			t.skip--
			continue
		}

		r, err := ParseRecord(line[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", s.Path, err)
		}
		if !t.yield(r, nil) {
			t.stopped = true
			return nil
		}
	}

	return nil
}
