package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/state"
)

// ErrEndNotStored reports that a task is over and that nothing durable says so yet:
// a restart could bring it back.
var ErrEndNotStored = errors.New("the end of the task is stored nowhere yet")

// taskEnd knows where the end of a task is durable. The zero value belongs to a
// task that lives, or whose end is durable nowhere.
type taskEnd struct {
	mu       sync.Mutex      // held while the end is being stored
	stored   bool            // the state store has it
	recorded bool            // the log has it
	ticket   *journal.Ticket // of its record, while the log may still take that; otherwise nil
	retrying bool            // a goroutine is trying to store it
}

// endRetry is the pause between attempts to store the end of a task.
const endRetry = time.Second

// endClosingWait bounds how long Close tries to store ends that are durable nowhere.
const endClosingWait = 3 * time.Second

// makeEndDurable stores the end of a task in the state store and in the log, as
// far as they do not have it. It returns nil if one of the two has it: either
// keeps the task from coming back. What is missing is tried again in the
// background. The error is ErrEndNotStored.
func (s *Server) makeEndDurable(t *task) error {
	t.end.mu.Lock()
	defer t.end.mu.Unlock()

	stateErr := s.storeEnd(t)
	logErr := s.recordEnd(t)
	if stateErr == nil && logErr == nil {
		return nil
	}

	if !t.end.retrying {
		t.end.retrying = true
		s.opt.Log.Warn().Str("task", t.ID()).AnErr("state", stateErr).AnErr("record", logErr).Msg("the end of the task is tried to be stored again")
		go s.retryEnd(t)
	}
	if stateErr == nil || logErr == nil {
		return nil
	}
	return fmt.Errorf("%w: %w; %w", ErrEndNotStored, stateErr, logErr)
}

// storeEnd stores the task in the state store, so that it is still listed after a
// restart. Callers hold t.end.mu.
func (s *Server) storeEnd(t *task) error {
	if t.end.stored {
		return nil
	}

	err := s.state.PutTask(state.Task{ID: t.ID(), Doc: t.Doc(), Expires: t.Expires().Add(endedTaskTTL)})
	t.end.stored = err == nil
	return err
}

// recordEnd puts the end of the task on record. Callers hold t.end.mu.
func (s *Server) recordEnd(t *task) error {
	if t.end.recorded {
		return nil
	}

	ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
	defer cancel()
	if t.end.ticket == nil {
		_, why, _ := t.Ended()
		r := s.taskRecord("task", t)
		r.Code, r.Detail = audit.CodeEnded, "ended: "+strings.TrimPrefix(why, "ended ")
		ticket := s.log.Append(r)
		t.end.ticket = &ticket
	}

	err := t.end.ticket.Wait(ctx)
	t.end.recorded = err == nil
	if !errors.Is(err, journal.ErrUndecided) {
		t.end.ticket = nil // the next attempt appends another record
	}
	return err
}

// retryEnd stores the end of a task until state store and log have it, or the server
// closes.
func (s *Server) retryEnd(t *task) {
	tick := time.NewTicker(endRetry)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return // Close tries once more
		case <-tick.C:
		}

		_ = s.makeEndDurable(t)
		if t.end.isComplete() {
			return
		}
	}
}

// isComplete reports whether both the state store and the log have the end.
func (e *taskEnd) isComplete() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stored && e.recorded
}

// markComplete notes that both have the end.
func (e *taskEnd) markComplete() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stored, e.recorded = true, true
}

// markRecorded notes that the log has the end.
func (e *taskEnd) markRecorded() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.recorded = true
}

// forgetStored notes that the state store may hold an older state of the task.
func (e *taskEnd) forgetStored() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stored = false
}

// storeMissingEnds is called by Close: it stores the ends that were not stored yet.
// It returns an error that names the tasks that the next start may bring back.
func (s *Server) storeMissingEnds() error {
	deadline := time.Now().Add(endClosingWait)
	var missing error
	s.tasks.Range(func(_, v any) bool {
		t := v.(*task)
		if _, _, over := t.Ended(); !over || t.end.isComplete() {
			return true
		}

		err := s.makeEndDurable(t)
		for err != nil && time.Now().Before(deadline) {
			time.Sleep(endRetry / 4)
			err = s.makeEndDurable(t)
		}
		if err != nil {
			missing = errors.Join(missing, fmt.Errorf("task %s: %w", t.ID(), err))
		}
		return true
	})
	return missing
}
