package journal

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// The pause before a repair doubles from firstRepairPause to maxRepairPause.
const (
	firstRepairPause = 20 * time.Millisecond
	maxRepairPause   = 5 * time.Second
)

// runCommitter is the committer. It commits the pending group when a caller
// waits for it, when it has waited for idleFlush, and with each checkpoint. While
// one group is made durable the next one gathers.
func (l *Log) runCommitter() {
	defer close(l.stopped)
	checkpointTick := time.NewTicker(l.cfg.CheckpointEvery)
	defer checkpointTick.Stop()
	defer l.idleTimer.Stop()

	for {
		checkpointCode := ""
		var change *keyChange
		var accept *acceptance
		select {
		case accept = <-l.acceptances:
		case change = <-l.keyChanges:
		case <-l.wake:
			l.waitForGroup()
		case <-l.idleTimer.C:
		case <-checkpointTick.C:
			checkpointCode = audit.CodeInterval
		case <-l.closing:
			l.closeErr = l.finish()
			return
		}

		err := l.commit(l.takePending(), checkpointCode)
		if change != nil {
			if err == nil {
				err = l.changeKey(change.key)
			}
			change.done <- err
		}
		if accept != nil {
			result := accepted{err: err}
			if err == nil {
				result, err = l.acceptRollback(accept)
			}
			accept.done <- result
		}

		if err != nil && !l.repairUntilClosing(err) {
			l.closeErr = l.finish()
			return
		}
	}
}

// waitForGroup gives the pending group time to grow. Callers that the last commit
// woke run first and can append their next records. While several callers wait
// for each group, commits begin CommitEvery apart: fewer and larger groups cost
// less processor and disk. A caller that waits alone is not held back.
func (l *Log) waitForGroup() {
	runtime.Gosched()
	if l.lastWaiters < 2 {
		return
	}
	left := l.cfg.CommitEvery - time.Since(l.lastCommit)
	if left <= 0 {
		return
	}

	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.closing:
	}
}

// takePending returns the pending group and puts the free group in its place.
// After it, commit or fail must give the group back before the next call.
func (l *Log) takePending() *group {
	l.mu.Lock()
	defer l.mu.Unlock()

	g := l.pending
	l.pending = l.freeGroup
	l.freeGroup = nil
	l.committing = g.result

	return g
}

// finishGroup reports err to the tickets of g and makes g the free group.
func (l *Log) finishGroup(g *group, err error) {
	result := g.result
	l.lastWaiters = result.waiters.Load()

	g.bodies = g.bodies[:0]
	g.entries = g.entries[:0]
	g.clockBack = 0
	g.result = l.newResult()
	l.mu.Lock()
	l.freeGroup = g
	l.committing = nil
	l.mu.Unlock()

	result.err = err
	close(result.done)
}

// commit makes g durable or refuses it, and reports that to its tickets. See
// [writer.commit] for checkpointCode. After an error no record of g counts as
// written, whatever the disk holds, and the log refuses records until repair
// succeeds.
func (l *Log) commit(g *group, checkpointCode string) error {
	before := l.writer.state
	l.lastCommit = time.Now()
	l.beginCommit(l.lastCommit)
	st, syncTime, err := l.writer.commit(g, checkpointCode)
	l.endCommit(l.lastCommit)
	if err != nil {
		l.fail(g, err)
		return err
	}

	if n := st.seq - before.seq; n > 0 {
		l.records.Add(int64(n))
		l.groups.Add(1)
		l.syncNS.Add(int64(syncTime))
		l.bytes.Add(int64(len(l.writer.buf) - 1))
		l.announceCheckpoint(&st)
	}
	l.durable.Store(st.seq)
	l.finishGroup(g, nil)

	return nil
}

// noteFailure makes the log refuse records until it is repaired.
func (l *Log) noteFailure(err error) {
	l.mu.Lock()
	l.failure = err
	l.mu.Unlock()
	l.failures.Add(1)
}

// noteOwnRecords announces records that the committer has made durable outside of
// a group. from is the number of the first.
func (l *Log) noteOwnRecords(from uint64) {
	l.records.Add(int64(l.writer.state.seq - from))
	l.durable.Store(l.writer.state.seq)
	l.announceCheckpoint(&l.writer.state)
}

// announceCheckpoint tells the publisher if st has a checkpoint that it does not
// know. st must be durable.
func (l *Log) announceCheckpoint(st *state) {
	if l.checkpoints.Swap(st.checkpoints) != st.checkpoints {
		l.publisher.advanceTo(st.position())
	}
}

// fail refuses g, the records that gathered meanwhile, and every further one
// until repair succeeds.
func (l *Log) fail(g *group, err error) {
	l.failures.Add(1)
	refusal := fmt.Errorf("%w: %w", ErrNotRecorded, err)
	n := len(g.entries)

	l.mu.Lock()
	l.failure = err
	gathered := l.pending
	l.pending = l.newGroup()
	l.mu.Unlock()

	n += len(gathered.entries)
	l.refused.Add(int64(n))
	gathered.result.err = refusal
	close(gathered.result.done)
	l.finishGroup(g, refusal)
}

// repairUntilClosing repairs the log, again and again with a growing pause, until
// records can be made durable. It returns false if Close is called before that.
func (l *Log) repairUntilClosing(cause error) bool {
	pause := firstRepairPause
	refusedBefore := l.refused.Load()
	for {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-l.closing:
			timer.Stop()
			return false
		}

		if l.repair(cause, refusedBefore) == nil {
			return true
		}
		pause = min(2*pause, maxRepairPause)
	}
}

// repair brings the log back to what was acknowledged, starts a new segment with
// a record of the failure, and accepts records again. refusedBefore is the
// counter of refused records when cause occurred.
func (l *Log) repair(cause error, refusedBefore int64) error {
	detail := fmt.Sprintf("recording failed: %v; what was not acknowledged was cut; %d records were refused since",
		cause, l.refused.Load()-refusedBefore)
	from := l.writer.state.seq
	st, err := l.writer.repair(detail)

	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failure = fmt.Errorf("%w; repair: %w", cause, err)
		return err
	}

	l.failure = nil
	l.durable.Store(st.seq)
	l.clock.lastUS = max(l.clock.lastUS, st.lastUS)
	l.records.Add(int64(st.seq - from))
	l.announceCheckpoint(st)
	l.groups.Add(1)
	l.bytes.Add(int64(len(l.writer.buf) - 1))

	return nil
}

// finish ends the log: it commits what is pending, with a closing checkpoint,
// trims the segment and unlocks the directory. If the log cannot record, it
// tries one repair first. Records that arrive from then on are refused.
func (l *Log) finish() error {
	if failure := l.refusal(); failure != nil {
		if err := l.repair(failure, l.refused.Load()); err != nil {
			return errors.Join(fmt.Errorf("audit: close: %w", l.refusal()), l.abandon())
		}
	}

	l.mu.Lock()
	g := l.pending
	l.pending = l.newGroup()
	l.failure = errClosed
	l.mu.Unlock()

	if err := l.commit(g, audit.CodeClose); err != nil {
		l.mu.Lock()
		l.failure = errClosed // commit has set its own
		l.mu.Unlock()
		return errors.Join(fmt.Errorf("audit: close: %w", err), l.abandon())
	}

	// A crash before the segment is trimmed leaves zeros after the closing
	// checkpoint, which readers ignore in the last segment.
	l.writer.discardNext()
	if err := l.writer.closeSegment(); err != nil {
		return errors.Join(fmt.Errorf("audit: close: %w", err), l.lock.Close())
	}

	return l.lock.Close()
}

// abandon closes the files of the log without writing to them.
func (l *Log) abandon() error {
	return errors.Join(l.writer.abandon(), l.lock.Close())
}
