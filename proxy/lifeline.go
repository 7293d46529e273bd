package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/state"
)

// lifeline ends a task of whose holder nothing was heard for too long. The zero
// value watches nothing. docs/decisions/lifeline.md has the reasons.
//
// A connection that breaks says nothing: the holder may connect again, and one
// that was killed is silent. So there is one rule for both, the time since the
// last sign of life.
type lifeline struct {
	mu       sync.Mutex
	timer    *time.Timer   // nil until the lifeline is first held
	timeout  time.Duration // that the timer was last set to
	due      time.Time     // when the timer is to fire
	extended bool          // the timer was late once since the last sign of life

	// resumed is closed by the first sign of life after a restart. It is nil if the
	// task does not wait for one. It does not change after the start.
	resumed     chan struct{}
	resumedOnce sync.Once
}

// arm makes lost be called after the timeout, with the timeout, unless arm is
// called again before. lost must be the same function in every call.
func (l *lifeline) arm(timeout time.Duration, lost func(silence time.Duration)) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.timeout, l.due, l.extended = timeout, time.Now().Add(timeout), false
	if l.timer == nil {
		l.timer = time.AfterFunc(timeout, func() {
			if silence, ok := l.isLost(); ok {
				lost(silence)
			}
		})
		return
	}
	l.timer.Reset(timeout)
}

// isLost is called by the timer. A timer that fires late shows that this process
// did not run, and that signs of life may wait to be read, so it gives them some
// time once.
func (l *lifeline) isLost() (silence time.Duration, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	late := time.Since(l.due)
	if late < 0 { // arm was called meanwhile
		return 0, false
	}
	if late > l.timeout/4 && !l.extended {
		l.extended, l.due = true, time.Now().Add(l.timeout/2)
		l.timer.Reset(l.timeout / 2)
		return 0, false
	}
	return l.timeout, true
}

// stop ends the watch.
func (l *lifeline) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// HoldTask makes the caller the holder of the task's lifeline: from now on the
// task ends when nothing was heard of the holder for Lifeline.Timeout. The task
// keeps its lifeline over a restart. The errors are ErrNoTask, those of
// [identity.Task.Active], and that the state cannot be stored.
func (s *Server) HoldTask(id string) (admin.Lifeline, error) {
	t := s.task(id)
	if t == nil {
		return nil, ErrNoTask
	}
	if err := t.Active(); err != nil {
		return nil, err
	}

	if !t.HasLifeline() {
		t.RequireLifeline()
		if err := s.state.PutTask(state.Task{ID: t.ID(), Doc: t.Doc(), Expires: t.Expires()}); err != nil {
			return nil, fmt.Errorf("store the task: %w", err)
		}
		if err := t.Active(); err != nil {
			t.end.forgetStored() // the line above may have replaced what the end stored
			return nil, errors.Join(err, s.makeEndDurable(t))
		}
	}

	held := &heldTask{server: s, task: t, timeout: s.lifelineConfig().LifelineTimeout}
	held.Beat()
	return held, nil
}

// lifelineConfig returns the limits of tasks with their defaults.
func (s *Server) lifelineConfig() identity.Config {
	c := s.opt.Identity
	c.SetDefaults()
	return c
}

// heldTask is a task with the holder of its lifeline.
type heldTask struct {
	server  *Server
	task    *task
	timeout time.Duration
}

// Beat notes a sign of life.
func (h *heldTask) Beat() {
	h.task.lifeline.arm(h.timeout, func(silence time.Duration) { h.server.endLost(h.task, silence) })
	if h.task.lifeline.resumed != nil {
		h.task.lifeline.resumedOnce.Do(func() { close(h.task.lifeline.resumed) })
	}
}

// Timeout is after how much silence the task ends.
func (h *heldTask) Timeout() time.Duration { return h.timeout }

// Ended is closed when the task has ended.
func (h *heldTask) Ended() <-chan struct{} { return h.task.Context().Done() }

// Why says why the task ended.
func (h *heldTask) Why() string {
	if _, why, over := h.task.Ended(); over {
		return why
	}
	return ""
}

// endLost ends a task whose holder is silent. What the task has open is cut before
// endLost returns; the rest is done by watchExpiry.
func (s *Server) endLost(t *task, silence time.Duration) {
	why := fmt.Sprintf("nothing was heard of its byline run for %s", silence)
	if _, first := s.identities.End(t.ID(), why); !first {
		return
	}

	select {
	case s.lost <- t:
	case <-s.stop: // Close stores its end
	}
}

// resumeLifeline makes a task that had a lifeline before a restart wait for its
// holder: its requests wait, and it ends if the holder does not come.
func (s *Server) resumeLifeline(t *task) {
	if !t.HasLifeline() || t.Active() != nil {
		return
	}

	grace := s.lifelineConfig().LifelineResume
	t.lifeline.resumed = make(chan struct{})
	t.lifeline.arm(grace, func(silence time.Duration) { s.endLost(t, silence) })
}

// waitForHolder waits until the holder of the task's lifeline was heard of since
// the start, and fails if the task or ctx ends before.
func (t *task) waitForHolder(ctx context.Context) error {
	if t.lifeline.resumed == nil {
		return nil
	}

	select {
	case <-t.lifeline.resumed:
		return nil
	case <-t.Context().Done():
		return t.Active()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
