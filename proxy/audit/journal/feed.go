package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// Sink stores records elsewhere: in a SIEM, a stream, or storage that the writer
// of the log cannot change. A [Feed] calls it from one goroutine.
type Sink interface {
	// Deliver stores lines, each of which is one record as it lies in the log,
	// without newline, in order. It returns nil once the destination has all of
	// them. After an error, and after a restart, the same lines come again, perhaps
	// in other batches; the ID of a record tells repetitions apart. lines are valid
	// until Deliver returns. ctx ends after feedTimeout or when the feed stops.
	Deliver(ctx context.Context, lines [][]byte) error
}

// FeedStats says how far a feed has come.
type FeedStats struct {
	Lag       int64 // durable records that the sink does not have yet
	Delivered int64 // records, since StartFeed
	Failures  int64 // deliveries that failed, since StartFeed
}

const (
	maxBatchLines = 500
	maxBatchBytes = 1 << 20 // a batch ends with the line that reaches it

	feedPollInterval = 100 * time.Millisecond // between looks for new records
	feedTimeout      = 30 * time.Second       // of one delivery

	// The pause after a failed delivery doubles from minFeedPause to maxFeedPause.
	minFeedPause = 500 * time.Millisecond
	maxFeedPause = time.Minute
)

// Feed delivers every durable record of a log to one sink, in order and at least
// once. It reads the segments, so a sink that is slow or dead never delays a
// record, and no record is lost as long as the segments are kept.
//
// A cursor file says how many records the sink has. It is durable after each
// delivery, and a feed with the same name continues there. A feed with a new name
// begins at the first record of the log. [Log.StartFeed] starts a feed. Its
// methods may be called concurrently.
type Feed struct {
	log       *Log
	name      string
	sink      Sink
	onFailure func(error)
	cancel    context.CancelFunc
	done      chan struct{} // closed when the goroutine has ended

	cursor    atomic.Uint64 // seq of the next record to deliver
	delivered atomic.Int64
	failures  atomic.Int64

	// The goroutine's place in the segments. It may be before the cursor after the
	// feed starts or fails, because reading begins at the start of a segment.
	file *os.File        // nil if no segment is open
	in   *segment.Reader // of file; nil if no segment is open
	path string          // of the segment that was opened last; empty before the first
	base int64           // offset at which in began to read
	off  int64           // offset of the next line
	seq  uint64          // its number
}

// StartFeed starts a feed of the log to sink. name consists of lower case
// letters, digits, - and _; no other running feed may have it. onFailure, if not
// nil, is called with the error of every delivery that failed, before the feed
// tries again.
//
// The caller must stop the feed; closing the log does not.
func (l *Log) StartFeed(name string, sink Sink, onFailure func(error)) (*Feed, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return nil, fmt.Errorf("audit: the name of a sink consists of lower case letters, digits, - and _; %q does not", name)
	}
	if onFailure == nil {
		onFailure = func(error) {}
	}

	f := &Feed{log: l, name: name, sink: sink, onFailure: onFailure, done: make(chan struct{})}
	cursor, err := f.loadCursor()
	if err != nil {
		return nil, fmt.Errorf("audit: sink %s: %w", name, err)
	}
	f.cursor.Store(cursor)

	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go f.run(ctx)

	return f, nil
}

// Stop stops the feed and waits for its goroutine. It cancels a delivery that is
// under way, which the next feed with that name makes again.
func (f *Feed) Stop() {
	f.cancel()
	<-f.done
}

// Stats returns the counters. It does not block.
func (f *Feed) Stats() FeedStats {
	lag := int64(f.log.durable.Load()) - int64(f.cursor.Load())

	return FeedStats{
		Lag:       max(0, lag),
		Delivered: f.delivered.Load(),
		Failures:  f.failures.Load(),
	}
}

// WaitDrained waits until the sink has every record that is durable when
// WaitDrained is called. It fails if ctx ends or the feed stops before that.
func (f *Feed) WaitDrained(ctx context.Context) error {
	want := f.log.durable.Load()
	for f.cursor.Load() < want {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.done:
			return errClosed
		case <-time.After(feedPollInterval):
		}
	}

	return nil
}

// run is the goroutine of the feed.
func (f *Feed) run(ctx context.Context) {
	defer close(f.done)
	defer f.closeSegment()

	pause := minFeedPause
	for ctx.Err() == nil {
		batch, next, err := f.readBatch()
		if err == nil && len(batch) == 0 {
			sleep(ctx, feedPollInterval)
			continue
		}

		if err == nil {
			err = f.deliver(ctx, batch)
		}
		if err == nil {
			// A crash before the cursor is durable delivers the batch again.
			err = f.saveCursor(next)
		}
		if err != nil {
			f.closeSegment() // the next batch begins at the cursor again
			if ctx.Err() == nil {
				f.failures.Add(1)
				f.onFailure(fmt.Errorf("sink %s: %w", f.name, err))
				sleep(ctx, pause)
				pause = min(2*pause, maxFeedPause)
			}
			continue
		}

		pause = minFeedPause
		f.delivered.Add(int64(next - f.cursor.Swap(next)))
	}
}

func (f *Feed) deliver(ctx context.Context, batch [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()

	return f.sink.Deliver(ctx, batch)
}

// sleep returns after d or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// readBatch returns the durable lines from the cursor on, and the number of the
// line after them. The batch is empty if there are none yet.
func (f *Feed) readBatch() (batch [][]byte, next uint64, err error) {
	end := f.log.durable.Load()
	size := 0
	next = f.cursor.Load()
	for next < end && len(batch) < maxBatchLines && size < maxBatchBytes {
		line, err := f.readLine(next)
		if err != nil {
			return nil, 0, err
		}
		if f.seq <= next {
			continue // the line is before the cursor
		}

		next = f.seq
		batch = append(batch, bytes.Clone(line[1:]))
		size += len(line)
	}

	return batch, next, nil
}

// readLine reads the next line on the way to the line with the number want, which
// is durable, and moves past it. The line has 0x00 in front of it.
//
// At the end of what was written when the segment was opened, the segment may
// have grown, or the next segment may have begun. So readLine opens the segment
// with that line again, first where reading stopped and then at its first line.
func (f *Feed) readLine(want uint64) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		if f.in == nil {
			if err := f.openSegment(want, attempt > 1); err != nil {
				return nil, err
			}
		}

		line, err := f.in.Next()
		if err == nil {
			f.off = f.base + f.in.Offset
			f.seq++
			return line, nil
		}

		f.closeSegment()
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if attempt > 1 {
			return nil, fmt.Errorf("%s ends before record %d, which is durable", filepath.Base(f.path), f.seq)
		}
	}
}

// openSegment opens the segment that holds the line with the number seq. It
// continues where reading stopped if that is in this segment and not after the
// line, unless fromStart is set. Otherwise it begins at the segment's first line.
func (f *Feed) openSegment(seq uint64, fromStart bool) error {
	segments, err := segment.List(f.log.cfg.Folders()...)
	if err != nil {
		return err
	}
	i := segment.IndexOf(segments, seq)
	if i < 0 {
		return fmt.Errorf("the segment with record %d is missing", seq)
	}

	s := segments[i]
	f.file, err = s.Open()
	if err != nil {
		return err
	}

	if s.Path != f.path || f.seq > seq || fromStart {
		f.path = s.Path
		f.off = 0
		f.seq = s.First
	}
	f.base = f.off
	f.in = segment.NewLiveReader(io.NewSectionReader(f.file, f.base, 1<<62-f.base))

	return nil
}

// closeSegment closes the segment. It keeps the place.
func (f *Feed) closeSegment() {
	if f.file != nil {
		_ = f.file.Close()
	}
	f.file = nil
	f.in = nil
}

func (f *Feed) cursorPath() string {
	return filepath.Join(f.log.cfg.Dir, "sinks", f.name+".cursor")
}

// loadCursor reads the cursor file. It returns 0 if the file does not exist, and
// fails if the cursor does not fit the log, because records would be left out.
func (f *Feed) loadCursor() (uint64, error) {
	path := f.cursorPath()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, durable.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return 0, err
	}

	cursor, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s does not hold a number; remove it to deliver all records again", path)
	}
	if records := f.log.durable.Load(); cursor > records {
		return 0, fmt.Errorf("%s says that %d records were delivered, but the log has %d: it was restored from an older copy; remove the file to deliver all records again",
			path, cursor, records)
	}

	return cursor, nil
}

// saveCursor makes the cursor durable. It must survive a crash of the machine
// whole: loadCursor refuses a file that was cut short.
func (f *Feed) saveCursor(cursor uint64) error {
	return durable.Replace(f.cursorPath(), fmt.Appendln(nil, cursor), 0o600, durable.Synced)
}
