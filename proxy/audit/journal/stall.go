package journal

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrUndecided is in an error of [Ticket.Wait] if the caller gave up waiting: the
// record may still become durable. A caller that refuses something because of it should
// append a record that says so, which follows the first in the log.
var ErrUndecided = errors.New("the record may still become durable")

var errHanging = errors.New("the disk does not answer")

const (
	// hangingAfter is how long a commit is out before the log counts as not able to
	// record.
	hangingAfter = 2 * time.Second
	// slowFor is how long after such a commit the log counts as slow, unless a
	// faster one followed.
	slowFor = 10 * time.Second
	// closeTimeouts is how many times Config.CommitTimeout Close waits for the
	// committer.
	closeTimeouts = 6
)

// stallWatch notices commits that take long. The committer calls begin and end;
// stalled commits are announced by Log.announceStall.
type stallWatch struct {
	began   atomic.Int64 // when the commit in progress began, as Unix nanoseconds; 0 if there is none
	slow    atomic.Int64 // when the last slow commit ended; 0 if a faster one followed
	stalled atomic.Bool  // the commit in progress is out for longer than callers wait
	timer   *time.Timer  // fires when callers have waited long enough
}

// beginCommit is called before the files are touched for a group.
func (l *Log) beginCommit(now time.Time) {
	l.stall.began.Store(now.UnixNano())
	l.stall.timer.Reset(l.cfg.CommitTimeout)
}

// endCommit is called when the disk has answered.
func (l *Log) endCommit(began time.Time) {
	l.stall.timer.Stop()
	l.stall.began.Store(0)
	l.stall.stalled.Store(false)
	if time.Since(began) > hangingAfter {
		l.stall.slow.Store(time.Now().UnixNano())
	} else if l.stall.slow.Load() != 0 {
		l.stall.slow.Store(0)
	}
}

// announceStall is called when the commit in progress has taken longer than callers
// wait. It releases those that wait for it and for the group that gathers.
func (l *Log) announceStall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stall.began.Load() == 0 {
		return // it has just ended
	}

	l.stall.stalled.Store(true)
	if l.committing != nil {
		l.committing.giveUp()
	}
	l.pending.result.giveUp()
}

// giveUp releases those who wait for the group. Callers hold Log.mu.
func (r *commitResult) giveUp() {
	select {
	case <-r.stalled:
	default:
		close(r.stalled)
	}
}

// commitAge returns how long the commit in progress is out, 0 if there is none.
func (l *Log) commitAge() time.Duration {
	began := l.stall.began.Load()
	if began == 0 {
		return 0
	}
	return max(0, time.Since(time.Unix(0, began)))
}

// Stalled returns an error if a commit is out for longer than callers wait, so that
// a record that is appended now would not become durable in time. It does not block,
// and costs next to nothing while all is well.
func (l *Log) Stalled() error {
	if !l.stall.stalled.Load() {
		return nil
	}
	return fmt.Errorf("%w: %w for %s", ErrNotRecorded, errHanging, l.commitAge().Round(time.Second))
}

// Err returns why no record can be recorded now, or nil if records are accepted: the
// disk failed, or a commit is out for seconds. After a failure the log recovers
// automatically as soon as the disk works. After Close Err is not nil.
func (l *Log) Err() error {
	if age := l.commitAge(); age > hangingAfter || l.stall.stalled.Load() {
		return fmt.Errorf("%w for %s", errHanging, age.Round(100*time.Millisecond))
	}
	return l.refusal()
}

// refusal returns why Append refuses records, or nil.
func (l *Log) refusal() error {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.failure
}

// Ready is Err, and also fails for some seconds after a commit that took seconds,
// unless a faster one followed: a disk that takes seconds for each commit is not
// ready in between.
func (l *Log) Ready() error {
	if err := l.Err(); err != nil {
		return err
	}
	slow := l.stall.slow.Load()
	if slow != 0 && time.Since(time.Unix(0, slow)) < slowFor {
		return errors.New("the disk is slow: the last commit took seconds")
	}
	return nil
}
