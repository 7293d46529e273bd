package audit_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func TestTailYieldsTheLastRecords(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	for _, n := range []int{0, 1, 5, len(lines), len(lines) + 5} {
		next := uint64(max(0, len(lines)-n))
		for r, err := range audit.Tail(t.Context(), dir, n, false) {
			if err != nil || r.Seq != next {
				t.Fatalf("last %d records: got seq %d, error %v, want seq %d", n, r.Seq, err, next)
			}
			next++
		}
		if next != uint64(len(lines)) {
			t.Errorf("last %d records: ended before seq %d, want %d", n, next, len(lines))
		}
	}
}

// TestTailFollowsOverSegments follows a log while records are appended that fill
// several segments.
func TestTailFollowsOverSegments(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 4096})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	following := make(chan bool)
	var written []string
	go func() {
		<-following
		for n := range 30 {
			written = append(written, l.Append(audittest.Intent(n)).ID())
			time.Sleep(10 * time.Millisecond)
		}
		l.Append(&audit.Record{Kind: "stop"})
	}()

	var got []string
	next := uint64(len(lines) - 1)
	for r, err := range audit.Tail(ctx, dir, 1, true) {
		if err != nil || r.Seq != next {
			t.Fatalf("got seq %d, error %v, want seq %d", r.Seq, err, next)
		}
		next++
		if next == uint64(len(lines)) {
			close(following)
		}

		if r.Kind == "intent" {
			got = append(got, r.ID)
		}
		if r.Kind == "stop" {
			break
		}
	}
	if !slices.Equal(got, written) {
		t.Errorf("got %d intents, want the %d that were written", len(got), len(written))
	}
}
