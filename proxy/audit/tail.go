package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

const followEvery = 200 * time.Millisecond

// Tail yields the last n records of the log in dir, oldest first, and with
// follow those that come later, until ctx is done. It checks that lines are
// records, not the chain; an error ends it. It may run beside a writer and may
// then show a record just before it is durable.
func Tail(ctx context.Context, dir string, n int, follow bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		t := &tailing{ctx: ctx, dir: dir, yield: yield}
		if err := t.run(n, follow); err != nil {
			yield(Record{}, fmt.Errorf("audit: tail: %w", err))
		}
	}
}

type tailing struct {
	ctx   context.Context
	dir   string
	yield func(Record, error) bool
	skip  int
	path  string // segment being read
	off   int64  // read so far
	ended bool   // the consumer stopped
}

func (t *tailing) run(n int, follow bool) error {
	segs, err := segment.List(t.dir)
	if err != nil {
		return err
	}
	from, have := len(segs), 0
	for from > 0 && have < n {
		from--
		c, err := segment.CountLines(segs[from].Path)
		if err != nil {
			return err
		}
		have += c
	}
	t.skip = max(0, have-n)
	if from > 0 && from == len(segs) { // n is 0: only what comes later
		from--
		if t.skip, err = segment.CountLines(segs[from].Path); err != nil {
			return err
		}
	}
	for _, s := range segs[from:] {
		if err := t.read(s.Path); err != nil || t.ended {
			return err
		}
	}
	for follow && !t.ended {
		select {
		case <-t.ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		if err := t.more(); err != nil {
			return err
		}
	}
	return nil
}

// more reads what came since. Segments are listed before the current one is
// read to its end: what a later segment follows is complete.
func (t *tailing) more() error {
	segs, err := segment.List(t.dir)
	if err != nil {
		return err
	}
	for _, s := range segs {
		if s.Path < t.path {
			continue
		}
		if err := t.read(s.Path); err != nil || t.ended {
			return err
		}
	}
	return nil
}

func (t *tailing) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if path != t.path {
		t.path, t.off = path, 0
	}
	in := segment.NewLiveReader(io.NewSectionReader(f, t.off, 1<<62))
	began := t.off
	for t.ctx.Err() == nil {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		t.off = began + in.Offset
		if t.skip > 0 {
			t.skip--
			continue
		}
		r, err := ParseRecord(line[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !t.yield(r, nil) {
			t.ended = true
			return nil
		}
	}
	return nil
}
