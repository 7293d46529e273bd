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

// Sink takes records to where others keep them: a SIEM, a stream, storage that
// its writer cannot change. It lives with its caller, the feed; there is one
// goroutine for each sink.
type Sink interface {
	// Deliver hands lines on, each one record as it lies in the log, in order. It
	// returns nil once the destination has taken all of them. After an error, and
	// after a restart, the same lines come again, perhaps in other batches: a
	// record's id tells what has come before. The lines are valid until it returns.
	Deliver(ctx context.Context, lines [][]byte) error
}

// FeedStats say how far a sink is.
type FeedStats struct {
	Lag       int64 // durable records that it does not have yet
	Delivered int64 // since Open
	Failures  int64 // deliveries that failed, since Open
}

const (
	feedBatch   = 500
	feedBytes   = 1 << 20
	feedLook    = 100 * time.Millisecond
	feedTimeout = 30 * time.Second
	feedFirst   = 500 * time.Millisecond // of the pauses after failures, each twice the last
	feedMost    = time.Minute
)

// Feed brings every durable record to one sink, in order and at least once,
// from where the last feed of that name stopped; a new name begins at the log's
// beginning. It reads the segments beside the writer: a sink that is slow or
// dead never slows a record, and none is lost while the segments are kept.
type Feed struct {
	log    *Log
	name   string
	sink   Sink
	failed func(error)
	cancel context.CancelFunc
	done   chan struct{}

	cursor              atomic.Uint64 // seq of the next record to deliver
	delivered, failures atomic.Int64

	// The reading place, the feed's goroutine's alone.
	file *os.File // nil: not open
	in   *segment.Reader
	path string // segment that is read, "" before the first
	base int64  // where in began
	off  int64  // of the line that comes next
	seq  uint64 // its number
}

// StartFeed starts one. failed may be nil; it hears of every delivery that failed.
// Stop the feed before the log is closed, or leave it to Close.
func (l *Log) StartFeed(name string, s Sink, failed func(error)) (*Feed, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return nil, fmt.Errorf("audit: a sink's name is lower case letters, digits, - and _, not %q", name)
	}
	f := &Feed{log: l, name: name, sink: s, failed: failed, done: make(chan struct{})}
	if f.failed == nil {
		f.failed = func(error) {}
	}
	at, err := f.load()
	if err != nil {
		return nil, fmt.Errorf("audit: sink %s: %w", name, err)
	}
	f.cursor.Store(at)
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go f.run(ctx)
	return f, nil
}

// Stop ends the feed. Its last delivery is cut; the next feed of that name
// makes it again.
func (f *Feed) Stop() {
	f.cancel()
	<-f.done
}

// Stats reads the counters; it is cheap.
func (f *Feed) Stats() FeedStats {
	return FeedStats{Lag: max(0, int64(f.log.durable.Load())-int64(f.cursor.Load())), Delivered: f.delivered.Load(), Failures: f.failures.Load()}
}

// WaitDrained waits until the sink has every record that is durable now.
func (f *Feed) WaitDrained(ctx context.Context) error {
	want := f.log.durable.Load()
	for f.cursor.Load() < want {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.done:
			return errClosed
		case <-time.After(feedLook):
		}
	}
	return nil
}

func (f *Feed) run(ctx context.Context) {
	defer close(f.done)
	defer f.leave()
	pause := feedFirst
	for ctx.Err() == nil {
		batch, next, err := f.read()
		if err == nil && len(batch) == 0 {
			sleep(ctx, feedLook)
			continue
		}
		if err == nil {
			once, cancel := context.WithTimeout(ctx, feedTimeout)
			err = f.sink.Deliver(once, batch)
			cancel()
		}
		if err == nil {
			err = f.save(next)
		}
		if err != nil {
			f.leave() // it reads from the cursor again
			if ctx.Err() == nil {
				f.failures.Add(1)
				f.failed(fmt.Errorf("sink %s: %w", f.name, err))
				sleep(ctx, pause)
				pause = min(2*pause, feedMost)
			}
			continue
		}
		pause = feedFirst
		f.delivered.Add(int64(next - f.cursor.Swap(next)))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// read takes the next durable lines. None and no error: there are none yet.
func (f *Feed) read() (batch [][]byte, next uint64, err error) {
	durable, size := f.log.durable.Load(), 0
	next = f.cursor.Load()
	for next < durable && len(batch) < feedBatch && size < feedBytes {
		line, err := f.line(next)
		if err != nil {
			return nil, 0, err
		}
		if f.seq <= next {
			continue // before the cursor
		}
		next = f.seq
		batch = append(batch, bytes.Clone(line[1:]))
		size += len(line)
	}
	return batch, next, nil
}

// line reads the line that comes next, on the way to want. At the end of what
// was read of a segment there may be more by now, or a segment that follows.
func (f *Feed) line(want uint64) ([]byte, error) {
	for try := 0; ; try++ {
		if f.in == nil {
			if err := f.enter(want, try > 1); err != nil {
				return nil, err
			}
		}
		line, err := f.in.Next()
		if err == nil {
			f.off, f.seq = f.base+f.in.Offset, f.seq+1
			return line, nil
		}
		f.leave()
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if try > 1 {
			return nil, fmt.Errorf("%s ends before record %d, which is durable", filepath.Base(f.path), f.seq)
		}
	}
}

// enter opens the segment that holds seq: where reading it stopped, or, when it
// has no more or was not read yet, at its first line.
func (f *Feed) enter(seq uint64, anew bool) error {
	segs, err := segment.List(f.log.cfg.Dir)
	if err != nil {
		return err
	}
	i := len(segs) - 1
	for i >= 0 && segs[i].First > seq {
		i--
	}
	if i < 0 {
		return fmt.Errorf("the segment with record %d is not there", seq)
	}
	if f.file, err = os.Open(segs[i].Path); err != nil {
		return err
	}
	if segs[i].Path != f.path || f.seq > seq || anew {
		f.path, f.off, f.seq = segs[i].Path, 0, segs[i].First
	}
	f.base = f.off
	f.in = segment.NewLiveReader(io.NewSectionReader(f.file, f.base, 1<<62-f.base))
	return nil
}

func (f *Feed) leave() {
	if f.file != nil {
		_ = f.file.Close()
	}
	f.file, f.in = nil, nil
}

func (f *Feed) cursorFile() string { return filepath.Join(f.log.cfg.Dir, "sinks", f.name+".cursor") }

// load reads the durable cursor.
func (f *Feed) load() (uint64, error) {
	text, err := os.ReadFile(f.cursorFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, os.MkdirAll(filepath.Dir(f.cursorFile()), 0o700)
	}
	if err != nil {
		return 0, err
	}
	at, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds no number; remove it to deliver everything again", f.cursorFile())
	}
	if durable := f.log.durable.Load(); at > durable {
		return 0, fmt.Errorf("%s says %d records were delivered, the log has %d: it was put back from an older copy", f.cursorFile(), at, durable)
	}
	return at, nil
}

// save makes the cursor durable.
func (f *Feed) save(at uint64) error {
	return durable.Replace(f.cursorFile(), fmt.Appendf(nil, "%d\n", at), 0o600, durable.Synced)
}
