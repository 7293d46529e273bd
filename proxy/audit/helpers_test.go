package audit_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		audittest.RemoveC2SP()
		os.Exit(code)
	}))
}

// openLog opens a log that is closed at the end of the test.
func openLog(t testing.TB, cfg journal.Config) *journal.Log {
	t.Helper()
	l, err := journal.Open(cfg, audittest.Key, audittest.Instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// mustWait waits until all tickets are durable.
func mustWait(t testing.TB, tickets ...journal.Ticket) {
	t.Helper()
	for _, ticket := range tickets {
		if err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// mustClose closes a log and fails if its tiles are not up to date after that.
func mustClose(t testing.TB, l *journal.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := l.PublishErr(); err != nil {
		t.Fatalf("tiles: %v", err)
	}
}

// writeSegmentedLog writes a closed log of several segments and checkpoints and
// returns its lines, without newlines, in order.
func writeSegmentedLog(t testing.TB) (dir string, lines [][]byte) {
	t.Helper()
	dir = t.TempDir()
	for range 3 {
		l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 5000, CheckpointEvery: time.Hour})
		for n := range 6 {
			mustWait(t, l.Append(audittest.Intent(n)))
		}
		mustClose(t, l)
	}
	return dir, audittest.Lines(t, dir)
}

// writeLongLog writes a closed log of n records, with many checkpoints, and
// returns the IDs of the records. From 256 records on it has full tiles.
func writeLongLog(t testing.TB, n int) (dir string, ids []string) {
	t.Helper()
	dir = t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 100 << 10, CheckpointEvery: time.Millisecond})
	var last journal.Ticket
	for i := range n {
		last = l.Append(audittest.Intent(i))
		ids = append(ids, last.ID())
		if i%50 == 0 {
			mustWait(t, last)
		}
	}
	mustWait(t, last)
	mustClose(t, l)
	return dir, ids
}
