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

func TestTailShowsTheLastAndFollows(t *testing.T) {
	dir, lines := sealedLog(t)
	for _, n := range []int{0, 1, 5, len(lines), len(lines) + 5} {
		want := uint64(max(0, len(lines)-n))
		for r, err := range audit.Tail(t.Context(), dir, n, false) {
			if err != nil || r.Seq != want {
				t.Fatalf("tail %d: seq %d, want %d: %v", n, r.Seq, want, err)
			}
			want++
		}
		if want != uint64(len(lines)) {
			t.Errorf("tail %d ended at seq %d of %d", n, want, len(lines))
		}
	}
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 4096})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	started := make(chan bool)
	var wrote []string
	go func() {
		<-started
		for n := range 30 { // over several segments
			wrote = append(wrote, l.Append(audittest.Intent(n)).ID())
			time.Sleep(10 * time.Millisecond)
		}
		l.Append(&audit.Record{Kind: "stop"})
	}()
	var saw []string
	next := uint64(len(lines) - 1)
	for r, err := range audit.Tail(ctx, dir, 1, true) {
		if err != nil || r.Seq != next {
			t.Fatalf("seq %d, want %d: %v", r.Seq, next, err)
		}
		if next++; next == uint64(len(lines)) {
			close(started)
		}
		if r.Kind == "intent" {
			saw = append(saw, r.ID)
		}
		if r.Kind == "stop" {
			break
		}
	}
	if !slices.Equal(saw, wrote) {
		t.Errorf("followed %d of %d records", len(saw), len(wrote))
	}
}
