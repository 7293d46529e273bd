package journal

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// TestLogKeepsAcknowledgedRecords writes a log of many segments from several
// goroutines.
func TestLogKeepsAcknowledgedRecords(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 8192, CheckpointEvery: 3 * time.Millisecond})
	var writers sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	for w := range 8 {
		writers.Go(func() {
			for n := range 40 {
				intent := l.Append(audittest.Intent(w*100 + n))
				if err := intent.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				outcome := l.Append(&audit.Record{Kind: "outcome", Intent: intent.ID(), Status: 200})

				mu.Lock()
				ids = append(ids, intent.ID(), outcome.ID())
				mu.Unlock()
			}
		})
	}
	writers.Wait()

	report, err := audit.Verify(dir, audittest.PublicKey, nil)
	if err != nil || report.Closed {
		t.Fatalf("while it is written, Verify returned %+v, %v; want an open log without a fault", report, err)
	}

	mustClose(t, l)
	report = audittest.Verify(t, dir, ids...)
	if !report.Closed || report.Unsealed != 0 || report.Unfinished != 0 || len(report.Open) != 0 || report.Segments < 10 {
		t.Errorf("after Close, Verify returned %+v; want a closed log of at least 10 segments with nothing open", report)
	}
	stats := l.Stats()
	if uint64(stats.Records) != report.Records || stats.Groups >= stats.Records || stats.Checkpoints < int64(report.Segments) {
		t.Errorf("Stats returned %+v for a log of %d records in %d segments", stats, report.Records, report.Segments)
	}
	for _, s := range audittest.Must(segment.List(dir)) {
		if b := audittest.Must(os.ReadFile(s.Path)); strings.ContainsRune(string(b), 0) {
			t.Errorf("%s holds zeros after Close", s.Path)
		}
	}
}

func TestReopenContinuesTheChain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		l := openLog(t, Config{Dir: dir})
		mustWait(t, l.Append(audittest.Intent(1)))
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	report := audittest.Verify(t, dir)
	if report.Records != 6 || report.Segments != 1 || len(report.Open) != 3 {
		t.Errorf("Verify returned %+v; want three runs of one intent and one checkpoint each in one segment", report)
	}

	mustClose(t, openLog(t, Config{Dir: dir}))
	if report := audittest.Verify(t, dir); report.Records != 6 {
		t.Errorf("a run without records added %d", report.Records-6)
	}
}

func TestAppendRefuses(t *testing.T) {
	l := openLog(t, Config{Dir: t.TempDir()})
	for name, r := range map[string]*audit.Record{
		"checkpoint": {Kind: audit.KindCheckpoint},
		"recovery":   {Kind: audit.KindRecovery},
		"too long":   {Kind: "task", Agent: strings.Repeat("x", segment.MaxLine)},
	} {
		if err := l.Append(r).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("%s: Wait returned %v, want ErrNotRecorded", name, err)
		}
	}

	mustClose(t, l)
	if err := l.Append(audittest.Intent(1)).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("after Close Wait returned %v, want ErrNotRecorded", err)
	}
	if err := (Ticket{}).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("Wait of the zero Ticket returned %v, want ErrNotRecorded", err)
	}
	if refused := l.Stats().Refused; refused != 4 {
		t.Errorf("%d records were refused, want 4", refused)
	}
}

// TestTimeNeverGoesBack sets the clock back by an hour.
func TestTimeNeverGoesBack(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	clock := start
	var mu sync.Mutex
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return clock
	}

	l := openLog(t, Config{Dir: dir, now: now})
	mustWait(t, l.Append(audittest.Intent(1)))
	mu.Lock()
	clock = start.Add(-time.Hour)
	mu.Unlock()
	mustWait(t, l.Append(audittest.Intent(2)))
	mustWait(t, l.Append(audittest.Intent(3)))
	mustClose(t, l)

	audittest.Verify(t, dir)
	clockRecords := 0
	for r, err := range audit.Tail(t.Context(), dir, 100, false) {
		if err != nil || !r.Time.Equal(start) {
			t.Errorf("a record has time %v (%v), want %v", r.Time, err, start)
		}
		if r.Kind == audit.KindClock && strings.Contains(r.Detail, "1h0m0s") {
			clockRecords++
		}
	}
	if clockRecords != 1 {
		t.Errorf("%d records say that the clock went back, want 1", clockRecords)
	}
}
