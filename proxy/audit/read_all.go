package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// ReadAll yields the records of the log in order, from the beginning until
// a time, or to the end if that is the zero time. It checks that lines are
// records, not the chain; see [Verify]. It yields an error, also that of ctx, as
// its last pair.
//
// If progress is not nil it is called with the bytes read and the total.
func (f Folders) ReadAll(ctx context.Context, until time.Time, progress func(done, total int64)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := f.readAll(ctx, progress, func(r Record) bool {
			isLater := !until.IsZero() && r.Time.After(until)
			return !isLater && yield(r, nil)
		})
		if err != nil {
			yield(Record{}, fmt.Errorf("audit: read: %w", err))
		}
	}
}

// readAll calls do with each record until do returns false.
func (f Folders) readAll(ctx context.Context, progress func(done, total int64), do func(Record) bool) error {
	files, err := f.segments()
	if err != nil {
		return err
	}

	total := segment.TotalSize(files)
	done := int64(0)
	for _, file := range files {
		n := 0
		err := file.EachLine(func(line []byte) error {
			n++
			if n%1024 == 0 {
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
			if !do(r) {
				return segment.ErrStop
			}

			return nil
		})
		if errors.Is(err, segment.ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}

	if progress != nil {
		progress(total, total)
	}

	return nil
}
