package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// ErrNotRecorded is in every error of [Ticket.Wait]. The record must not be
// relied on, so whatever depends on it must not happen.
var ErrNotRecorded = errors.New("not recorded")

// Ticket stands for one appended record. It may be copied and used concurrently.
type Ticket struct {
	id     string
	result *commitResult
}

// ID returns the ID of the record.
func (t Ticket) ID() string { return t.id }

// Wait returns nil once the record is on stable storage, and only then. Every
// error wraps [ErrNotRecorded]. If the log refused the record, the record is not
// in the log and never will be. If ctx ended first, the error also wraps the
// cause of ctx and [ErrUndecided]: the record may still become durable. Likewise if
// the disk does not answer within [Config.CommitTimeout].
//
// Wait makes the log commit the record now rather than after idleFlush. The zero
// Ticket is not recorded.
func (t Ticket) Wait(ctx context.Context) error {
	if t.result == nil {
		return ErrNotRecorded
	}
	select {
	case <-t.result.done:
		return t.result.err
	default:
	}

	t.result.requestCommit()
	select {
	case <-t.result.done:
		return t.result.err
	case <-t.result.stalled:
		return fmt.Errorf("%w: %w; %w", ErrNotRecorded, errHanging, ErrUndecided)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w; %w", ErrNotRecorded, context.Cause(ctx), ErrUndecided)
	}
}

// refusedTicket returns the ticket of a record that was not accepted.
func refusedTicket(id string, why error) Ticket {
	r := &commitResult{done: make(chan struct{}), stalled: make(chan struct{}), err: fmt.Errorf("%w: %w", ErrNotRecorded, why)}
	close(r.done)

	return Ticket{id, r}
}

// commitResult is the outcome of one group, shared by the tickets of its
// records. err may be read once done is closed.
type commitResult struct {
	done    chan struct{}
	stalled chan struct{} // closed when callers must not wait any longer
	err     error
	wake    chan<- struct{} // wakes the committer
	waiters atomic.Int32    // calls of Wait that came before done was closed
}

// requestCommit wakes the committer for the first waiter of the group. Records
// that nobody waits for are committed with those that somebody waits for.
func (r *commitResult) requestCommit() {
	if r.waiters.Add(1) > 1 {
		return
	}

	select {
	case r.wake <- struct{}{}:
	default: // the committer is awake and has not taken the group yet
	}
}

// group is the records that one sync makes durable. While it is pending it
// belongs to Log.mu, then to the committer.
type group struct {
	bodies    []byte // of all records, one after the other
	entries   []entry
	result    *commitResult
	clockBack time.Duration // by which the clock was found to have gone back; 0 if it was not
}

// entry is one record of a group.
type entry struct {
	end   int    // of its body in bodies
	us    int64  // its time, microseconds since 1970
	task  string // that it belongs to; empty if to none
	event audit.TaskEvent
}

func (l *Log) newGroup() *group { return &group{result: l.newResult()} }

func (l *Log) newResult() *commitResult {
	return &commitResult{done: make(chan struct{}), stalled: make(chan struct{}), wake: l.wake}
}
