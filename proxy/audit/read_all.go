package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ReadAll yields the records of the log in dir from its beginning until a time (the
// zero time: its end), in order, for who counts and compares them. It checks
// that lines are records, not the chain; an error, also that of ctx, ends it.
// progress may be nil; it hears of bytes read and of all bytes.
func ReadAll(ctx context.Context, dir string, until time.Time, progress func(done, total int64)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := all(ctx, dir, until, progress, func(r Record) bool { return yield(r, nil) })
		if err != nil && !errors.Is(err, segment.ErrStop) {
			yield(Record{}, fmt.Errorf("audit: read: %w", err))
		}
	}
}

func all(ctx context.Context, dir string, until time.Time, progress func(done, total int64), yield func(Record) bool) error {
	segs, err := segment.List(dir)
	if err != nil {
		return err
	}
	var done, total int64
	for _, s := range segs {
		total += s.Size
	}
	for _, s := range segs {
		n := 0
		err := segment.EachLine(s.Path, func(line []byte) error {
			if n++; n%1024 == 0 {
				if progress != nil {
					progress(done, total)
				}
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			done += int64(len(line)) + 1
			r, err := ParseRecord(line)
			if err != nil {
				return err
			}
			if !until.IsZero() && r.Time.After(until) || !yield(r) {
				return segment.ErrStop
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if progress != nil {
		progress(total, total)
	}
	return nil
}
