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
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// collector is a sink that keeps the records in memory. It can block, fail, or
// take a batch and then fail, as a network does that loses the answer.
type collector struct {
	mu          sync.Mutex
	records     []audit.Record
	failures    int           // deliveries that fail before one succeeds
	keepsFailed bool          // failing deliveries arrive nevertheless
	block       chan struct{} // if not nil, deliveries wait until it is closed
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
	fails := c.failures > 0
	c.failures--
	if !fails || c.keepsFailed {
		for _, line := range lines {
			r, err := audit.ParseRecord(line)
			if err != nil {
				return err
			}
			c.records = append(c.records, r)
		}
	}
	if fails {
		return errors.New("the collector fails as it was told to")
	}
	return nil
}

// checkRecords checks that every record from first to last arrived, in order if
// repetitions are left out.
func (c *collector) checkRecords(t *testing.T, first, last uint64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()

	next := first
	for _, r := range c.records {
		if r.Seq > next {
			t.Fatalf("record %d arrived before record %d", r.Seq, next)
		}
		if r.Seq == next {
			next++
		}
	}
	if next <= last {
		t.Fatalf("the records before %d arrived, want all up to %d", next, last)
	}
}

// appendIntents appends n intents and waits for the last.
func appendIntents(t *testing.T, l *Log, n int) {
	t.Helper()
	var last Ticket
	for i := range n {
		last = l.Append(&audit.Record{Kind: "intent", Path: fmt.Sprint("/", i)})
	}
	mustWait(t, last)
}

func startFeed(t *testing.T, l *Log, sink Sink) *Feed {
	t.Helper()
	f, err := l.StartFeed("siem", sink, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

func waitDrained(t *testing.T, f *Feed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f.WaitDrained(ctx); err != nil {
		t.Fatalf("WaitDrained returned %v with %+v", err, f.Stats())
	}
}

// waitForLast waits until the sink has every record that is durable, and returns the
// number of the last. More may follow at any time: a full segment is closed after its
// records are durable, which adds lines.
func waitForLast(t *testing.T, l *Log, f *Feed) uint64 {
	t.Helper()
	last := l.durable.Load() - 1
	waitDrained(t, f)
	return last
}

// waitWithoutLag returns the counters of a feed that has delivered everything.
func waitWithoutLag(t *testing.T, f *Feed) FeedStats {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(feedPollInterval) {
		stats := f.Stats()
		if stats.Lag == 0 {
			return stats
		}
		if time.Now().After(deadline) {
			t.Fatalf("the feed still lags: %+v", stats)
		}
	}
}

func TestFeedDeliversEveryRecordInOrder(t *testing.T) {
	for name, sink := range map[string]*collector{
		"a good sink":                {},
		"a sink that fails at first": {failures: 2},
		"a sink that loses answers":  {failures: 2, keepsFailed: true},
	} {
		t.Run(name, func(t *testing.T) {
			fails := sink.failures > 0
			// Many segments, and no checkpoint after the last drain.
			l := openLog(t, Config{Dir: t.TempDir(), SegmentBytes: 32 << 10, CheckpointEvery: time.Hour})
			appendIntents(t, l, 300) // before there is a feed
			f := startFeed(t, l, sink)
			for range 5 {
				appendIntents(t, l, 700)
				waitDrained(t, f)
			}

			sink.checkRecords(t, 0, waitForLast(t, l, f))
			stats := waitWithoutLag(t, f)
			if stats.Delivered < 3800 || (stats.Failures > 0) != fails {
				t.Errorf("Stats returned %+v; want at least 3800 delivered, failures: %v", stats, fails)
			}
		})
	}
}

func TestFeedContinuesWhereItStopped(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), SegmentBytes: 16 << 10}
	first := &collector{}
	second := &collector{}

	l := openLog(t, cfg)
	f := startFeed(t, l, first)
	appendIntents(t, l, 1000)
	first.checkRecords(t, 0, waitForLast(t, l, f))
	f.Stop()
	cursor := f.cursor.Load() // after Stop: until then the feed may deliver a checkpoint
	appendIntents(t, l, 100)  // while there is no feed
	mustClose(t, l)

	l = openLog(t, cfg)
	f = startFeed(t, l, second)
	appendIntents(t, l, 1000)
	second.checkRecords(t, cursor, waitForLast(t, l, f))
	if second.records[0].Seq == 0 {
		t.Error("the second feed began at the first record")
	}
	f.Stop()
	mustClose(t, l)
}

// TestBlockedSinkDelaysNoRecord has a sink that blocks: records become durable
// meanwhile and are delivered later.
func TestBlockedSinkDelaysNoRecord(t *testing.T) {
	l := openLog(t, Config{Dir: t.TempDir()})
	sink := &collector{block: make(chan struct{})}
	f := startFeed(t, l, sink)
	appendIntents(t, l, 5000) // would block if records waited for the sink
	if lag := f.Stats().Lag; lag < 4500 {
		t.Errorf("the lag is %d though nothing was delivered", lag)
	}

	close(sink.block)
	sink.checkRecords(t, 0, waitForLast(t, l, f))
}

func TestStartFeedRefusesACursorThatDoesNotFit(t *testing.T) {
	for name, cursor := range map[string]string{
		"not a number":     "many\n",
		"ahead of the log": "999999\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openLog(t, Config{Dir: dir})
			audittest.Must(0, os.MkdirAll(filepath.Join(dir, "sinks"), 0o700))
			audittest.Must(0, os.WriteFile(filepath.Join(dir, "sinks", "siem.cursor"), []byte(cursor), 0o600))
			if _, err := l.StartFeed("siem", &collector{}, nil); err == nil {
				t.Errorf("StartFeed accepted the cursor %q", cursor)
			}
		})
	}
}

func TestStartFeedRefusesANameWithAPath(t *testing.T) {
	l := openLog(t, Config{Dir: t.TempDir()})
	if _, err := l.StartFeed("../x", &collector{}, nil); err == nil {
		t.Error("StartFeed accepted the name ../x")
	}
}
