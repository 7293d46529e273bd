package journal

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

const (
	retryFirst = 20 * time.Millisecond
	retryMost  = 5 * time.Second
)

// run is the committer. While one group is made durable the next one gathers.
func (l *Log) run() {
	defer close(l.stopped)
	tick := time.NewTicker(l.cfg.CheckpointEvery)
	defer tick.Stop()
	defer l.soon.Stop()
	for {
		seal := ""
		var change *keyChange
		select {
		case change = <-l.changes:
		case <-l.wake:
			l.gather()
		case <-l.soon.C:
		case <-tick.C:
			seal = audit.CodeInterval
		case <-l.closing:
			l.closed = l.finish()
			return
		}
		err := l.commit(l.take(), seal)
		if change != nil {
			if err == nil {
				err = l.changeKey(change.key)
			}
			change.done <- err
		}
		if err != nil {
			if !l.recover(err) {
				l.closed = l.finish()
				return
			}
		}
	}
}

// gather lets a group grow. Agents that the last group woke append first; and
// while several wait for each group, one is written every CommitEvery: fewer
// and larger groups cost less of processor and disk.
func (l *Log) gather() {
	runtime.Gosched()
	if l.crowd < 2 {
		return
	}
	left := l.cfg.CommitEvery - time.Since(l.began)
	if left <= 0 {
		return
	}
	pause := time.NewTimer(left)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-l.closing:
	}
}

// take swaps the pending group for an empty one.
func (l *Log) take() *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.pending
	l.pending, l.spare = l.spare, nil
	return g
}

// release gives a group's tickets their verdict and its memory back.
func (l *Log) release(g *group, err error) {
	v := g.verdict
	l.crowd = v.waiting.Load()
	g.bodies, g.entries, g.clock = g.bodies[:0], g.entries[:0], 0
	g.verdict = l.newVerdict()
	l.mu.Lock()
	l.spare = g
	l.mu.Unlock()
	v.err = err
	close(v.done)
}

// commit makes g durable or fails it. After an error nothing of g counts as
// written, whatever the disk holds.
func (l *Log) commit(g *group, seal string) error {
	before := l.w.st
	l.began = time.Now()
	st, syncing, err := l.w.commit(g, seal)
	if err != nil {
		l.fail(g, err)
		return err
	}
	if n := st.seq - before.seq; n > 0 {
		l.records.Add(int64(n))
		l.groups.Add(1)
		l.syncNS.Add(int64(syncing))
		l.bytes.Add(int64(len(l.w.out) - 1))
		l.checkpointed(&st)
	}
	l.durable.Store(st.seq)
	l.release(g, nil)
	return nil
}

// checkpointed tells who works behind the segments that a checkpoint is durable.
func (l *Log) checkpointed(st *state) {
	if l.checkpoints.Swap(st.checkpoints) != st.checkpoints {
		l.sealed.set(audit.Position{Segment: st.segment, Offset: st.off, Seq: st.seq})
	}
}

// fail refuses g, everything that gathered meanwhile, and what comes until
// recover is through.
func (l *Log) fail(g *group, err error) {
	l.failures.Add(1)
	verdict := fmt.Errorf("%w: %w", ErrNotRecorded, err)
	n := len(g.entries)
	l.mu.Lock()
	l.failure = err
	waiting := l.pending
	l.pending = l.newGroup()
	l.mu.Unlock()
	n += len(waiting.entries)
	l.refused.Add(int64(n))
	waiting.verdict.err = verdict
	close(waiting.verdict.done)
	l.release(g, verdict)
}

// recover repairs the log, again and again with back-off, until records can be
// made durable, or returns false because the log is being closed.
func (l *Log) recover(cause error) bool {
	wait := retryFirst
	before := l.refused.Load()
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-l.closing:
			timer.Stop()
			return false
		}
		if l.repair(cause, before) == nil {
			return true
		}
		wait = min(2*wait, retryMost)
	}
}

// repair brings the folder back to what was acknowledged and starts a new
// segment that says so.
func (l *Log) repair(cause error, before int64) error {
	detail := fmt.Sprintf("recording failed: %v; what was not acknowledged was cut; %d records were refused since", cause, l.refused.Load()-before)
	from := l.w.st.seq
	st, err := l.w.repair(detail)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failure = fmt.Errorf("%w; repair: %w", cause, err)
		return err
	}
	l.failure = nil
	l.durable.Store(st.seq)
	l.lastUS = max(l.lastUS, st.lastUS)
	l.records.Add(int64(st.seq - from))
	l.checkpointed(st)
	l.groups.Add(1)
	l.bytes.Add(int64(len(l.w.out) - 1))
	return nil
}

// finish drains, seals and closes. A log that had failed is repaired once more
// if the disk allows.
func (l *Log) finish() error {
	failed := l.Err()
	if failed != nil {
		if err := l.repair(failed, l.refused.Load()); err != nil {
			return errors.Join(fmt.Errorf("audit: close: %w", l.Err()), l.giveUp())
		}
	}
	l.mu.Lock()
	g := l.pending
	l.pending = l.newGroup()
	l.failure = errClosed
	l.mu.Unlock()
	err := l.commit(g, audit.CodeClose)
	if err != nil {
		l.mu.Lock()
		l.failure = errClosed
		l.mu.Unlock()
		return errors.Join(fmt.Errorf("audit: close: %w", err), l.giveUp())
	}
	l.w.dropSpare()
	if err := l.w.trim(); err != nil {
		return errors.Join(fmt.Errorf("audit: close: %w", err), l.lock.Close())
	}
	return l.lock.Close()
}

func (l *Log) giveUp() error {
	l.w.dropSpare()
	var err error
	if l.w.file != nil {
		err = l.w.file.Close()
		l.w.file = nil
	}
	return errors.Join(err, l.lock.Close())
}
