package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// collector is a sink that can be slow, fail, or take a batch and fail all the
// same, as a network does that loses the answer.
type collector struct {
	mu    sync.Mutex
	got   []audit.Record
	fails int           // deliveries that fail before one succeeds
	keeps bool          // a failing delivery arrives nevertheless
	block chan struct{} // a delivery waits until it is closed; nil: it does not
}

func (c *collector) Deliver(ctx context.Context, lines [][]byte) error {
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	failing := c.fails > 0
	c.fails--
	if !failing || c.keeps {
		for _, line := range lines {
			r, err := audit.ParseRecord(line)
			if err != nil {
				return err
			}
			c.got = append(c.got, r)
		}
	}
	if failing {
		return errors.New("no")
	}
	return nil
}

// whole checks that every record from first to last came, in order once
// repetitions are left out.
func (c *collector) whole(t *testing.T, first, last uint64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	next := first
	for _, r := range c.got {
		if r.Seq > next {
			t.Fatalf("record %d came before %d", r.Seq, next)
		}
		if r.Seq == next {
			next++
		}
	}
	if next != last+1 {
		t.Fatalf("records up to %d came, want %d", next, last+1)
	}
}

func write(t *testing.T, l *Log, n int) {
	t.Helper()
	var last Ticket
	for i := range n {
		last = l.Append(&audit.Record{Kind: "intent", Path: fmt.Sprint("/", i)})
	}
	if err := last.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func drain(t *testing.T, f *Feed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f.WaitDrained(ctx); err != nil {
		t.Fatalf("not drained: %v, %+v", err, f.Stats())
	}
}

func TestAFeedDeliversEveryRecordInOrder(t *testing.T) {
	for name, c := range map[string]*collector{
		"a good sink": {}, "one that fails at first": {fails: 2}, "one whose answers get lost": {fails: 2, keeps: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Dir: filepath.Join(t.TempDir(), "audit"), SegmentBytes: 32 << 10, CheckpointEvery: time.Hour} // many segments; no record of the log's own after the last drain
			key, _ := NewKey()
			l, err := Open(cfg, key, "test")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			write(t, l, 300) // before there is a feed
			f, err := l.StartFeed("siem", c, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Stop()
			for range 5 {
				write(t, l, 700)
				drain(t, f)
			}
			c.whole(t, 0, l.durable.Load()-1)
			if s := f.Stats(); s.Lag != 0 || s.Delivered < 3800 || (s.Failures == 0) != (name == "a good sink") {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAFeedGoesOnWhereItStopped(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "audit"), SegmentBytes: 16 << 10}
	key, _ := NewKey()
	first, second := &collector{}, &collector{}
	var seen uint64
	for i, c := range []*collector{first, second} {
		l, err := Open(cfg, key, "test")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.StartFeed("siem", c, nil)
		if err != nil {
			t.Fatal(err)
		}
		write(t, l, 1000)
		drain(t, f)
		c.whole(t, seen, l.durable.Load()-1)
		seen = f.cursor.Load()
		f.Stop()
		if i == 0 {
			write(t, l, 100) // while nobody feeds
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(second.got) > 0 && second.got[0].Seq == 0 {
		t.Error("the second feed began at the beginning")
	}
}

// A sink that hangs must cost the log nothing: records go on, and arrive later.
func TestADeadSinkSlowsNothing(t *testing.T) {
	key, _ := NewKey()
	l, err := Open(Config{Dir: filepath.Join(t.TempDir(), "audit")}, key, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &collector{block: make(chan struct{})}
	f, err := l.StartFeed("siem", c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	write(t, l, 5000) // it would hang here
	if lag := f.Stats().Lag; lag < 4500 {
		t.Errorf("lag %d, though nothing was delivered", lag)
	}
	close(c.block)
	drain(t, f)
	c.whole(t, 0, l.durable.Load()-1)
}

func TestACursorThatCannotBeTrustedIsRefused(t *testing.T) {
	for what, text := range map[string]string{"no number": "many\n", "ahead of the log": "999999\n"} {
		dir := filepath.Join(t.TempDir(), "audit")
		key, _ := NewKey()
		l, err := Open(Config{Dir: dir}, key, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "sinks"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sinks", "siem.cursor"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := l.StartFeed("siem", &collector{}, nil); err == nil {
			t.Errorf("%s: it was taken", what)
		}
		if _, err := l.StartFeed("../x", &collector{}, nil); err == nil {
			t.Error("a name with a path in it was taken")
		}
		l.Close()
	}
}
