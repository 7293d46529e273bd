package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestI3HangingDiskIsSeenAndBounded lets the disk hang with a record in its commit and
// others that gather. Nobody waits for minutes, and what becomes durable later is in
// the log in the order of the calls.
func TestI3HangingDiskIsSeenAndBounded(t *testing.T) {
	d := &faultDisk{}
	cfg := Config{Dir: t.TempDir(), CheckpointEvery: time.Hour, CommitTimeout: 2 * time.Second, disk: d}
	l := openLog(t, cfg)
	ids := writeIntents(t, l, 3)
	d.set("stuck")

	var tickets []Ticket
	for i := range 20 {
		ticket := l.Append(audittest.Intent(i))
		err := ticket.Wait(context.Background())
		if !errors.Is(err, ErrNotRecorded) || !errors.Is(err, ErrUndecided) {
			t.Fatalf("record %d: Wait on a disk that hangs returned %v, want ErrNotRecorded and ErrUndecided", i, err)
		}
		tickets = append(tickets, ticket)
	}
	if err := l.Stalled(); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("while the disk hangs Stalled returned %v, want ErrNotRecorded", err)
	}
	waitUntil(t, "the log is not ready", func() bool { return l.Err() != nil && l.Ready() != nil })
	if age := l.Stats().CommitAge; age < hangingAfter {
		t.Errorf("Stats returned a commit that is out for %v, want more than %v", age, hangingAfter)
	}

	d.set("")
	waitUntil(t, "records are accepted", func() bool { return l.Err() == nil && l.Stalled() == nil })
	for _, ticket := range tickets {
		<-ticket.result.done
		if err := ticket.Wait(context.Background()); err != nil {
			t.Errorf("after the disk answered Wait returned %v", err)
		}
		ids = append(ids, ticket.ID())
	}
	ids = append(ids, writeIntents(t, l, 3)...)
	waitUntil(t, "the log is ready after fast commits", func() bool { return l.Ready() == nil })
	mustClose(t, l)
	audittest.Verify(t, cfg.Dir, ids...)
}

// TestCloseOfAHangingDiskIsBounded closes the log while a commit does not come back.
func TestCloseOfAHangingDiskIsBounded(t *testing.T) {
	d := &faultDisk{}
	l := openLog(t, Config{Dir: t.TempDir(), CheckpointEvery: time.Hour, CommitTimeout: time.Second, disk: d})
	writeIntents(t, l, 1)
	d.set("stuck")
	ticket := l.Append(audittest.Intent(1))
	_ = ticket.Wait(context.Background())
	if err := l.Close(); !errors.Is(err, errHanging) {
		t.Errorf("Close returned %v, want that the disk does not answer", err)
	}
	d.set("")
	<-ticket.result.done
	mustClose(t, l)
}
