package proxy

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
	"weak"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// logoutTimeout bounds a logout, all of its steps together. The account stays
// leased for as long.
const logoutTimeout = 15 * time.Second

// The codes of alerts about sessions and accounts.
const (
	alertNotEnded    = "session_not_ended" // a session still works after its logout, or the logout failed
	alertOther       = "session_of_other"  // a session turned into that of another account
	alertNeedsPerson = "needs_person"      // logins succeed and every session is over at once
)

// endings are the sessions of one hold that are being logged out, or were. Each is
// logged out once. A session that was is not kept: it has masks of 200 KB, and a task
// may renew its session for days.
type endings struct {
	mu  sync.Mutex
	all map[weak.Pointer[adapters.Session]]chan struct{} // closed when the logout is over
}

// begin returns the channel that is closed when the session's logout is over, and
// whether this call has begun it. Whoever begins must call end.
func (e *endings) begin(session *adapters.Session) (over chan struct{}, first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()

	key := weak.Make(session)
	over, known := e.all[key]
	if known {
		return over, false
	}
	if e.all == nil {
		e.all = map[weak.Pointer[adapters.Session]]chan struct{}{}
	}
	maps.DeleteFunc(e.all, func(old weak.Pointer[adapters.Session], _ chan struct{}) bool { return old.Value() == nil })
	over = make(chan struct{})
	e.all[key] = over
	return over, true
}

// end ends what begin has begun. If again is true the session can be logged out
// once more.
func (e *endings) end(session *adapters.Session, again bool) {
	e.mu.Lock()
	defer e.mu.Unlock()

	key := weak.Make(session)
	close(e.all[key])
	if again {
		delete(e.all, key)
	}
}

// wait waits until every logout that has begun is over, or ctx is done.
func (e *endings) wait(ctx context.Context) {
	e.mu.Lock()
	pending := make([]chan struct{}, 0, len(e.all))
	for _, over := range e.all {
		pending = append(pending, over)
	}
	e.mu.Unlock()

	for _, over := range pending {
		select {
		case <-over:
		case <-ctx.Done():
			return
		}
	}
}

// discard logs out a session that requests no longer use, in the background. why
// is for the record.
func (s *Server) discard(t *task, h *hold, at *site, session *adapters.Session, why string) {
	if _, first := h.endings.begin(session); !first {
		return
	}

	s.background.Go(func() {
		s.retryUntilRecorded(func(ctx context.Context) error {
			err := s.logOut(ctx, t, h, at, session, why)
			if !errors.Is(err, journal.ErrNotRecorded) {
				h.endings.end(session, false)
			}
			return err
		})
	})
}

// endSession logs a session out once. A later call for the same session waits
// for the first. The error is journal.ErrNotRecorded, after which endSession can
// be called again, or the cause of ctx.
func (s *Server) endSession(ctx context.Context, t *task, h *hold, at *site, session *adapters.Session) error {
	over, first := h.endings.begin(session)
	if !first {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}

	err := s.logOut(ctx, t, h, at, session, "")
	if !errors.Is(err, journal.ErrNotRecorded) {
		err = nil // the failure is on record
	}
	h.endings.end(session, err != nil)
	return err
}

// logOut ends a session at the application by the adapter's recipe, recorded
// before and after, and looks whether it has ended. It uses connections of its
// own: those of the lease may be closed already. why says on record why a session
// is given up before its task ends; it is empty at the end of the task.
func (s *Server) logOut(ctx context.Context, t *task, h *hold, at *site, session *adapters.Session, why string) error {
	d := at.adapter.Logout(session)
	if d == nil {
		return nil
	}

	begin := s.leaseRecord("logout", t, h, at)
	begin.Detail = why
	ticket := s.log.Append(begin)
	if err := ticket.Wait(ctx); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeout)
	defer cancel()
	pool := s.newPool()
	defer pool.Close()
	started := time.Now()
	copied := session.Copy()
	wasOver := false
	err := s.runDialogue(ctx, &channel{pool: pool, at: at, fresh: s.newPool, saw: func(r *adapters.Reply) {
		wasOver = wasOver || at.adapter.Ended(r.Status, r.Fields, r.Body)
	}}, d)
	checked, works := s.checkLogout(ctx, pool, at, copied)

	end := s.leaseRecord("outcome", t, h, at)
	end.Intent, end.DurationUS = ticket.ID(), time.Since(started).Microseconds()
	switch {
	case works:
		end.Detail = errStillWorks.Error()
		err = errors.Join(errStillWorks, err)
	case checked:
		end.Detail = "the session was tried afterwards and is over"
		err = nil
	case err != nil && wasOver:
		end.Detail = "the application says that the session was over already"
		err = nil
	case err != nil:
		end.Detail = "logout failed: " + err.Error()
	}
	s.log.Append(end)

	if err != nil {
		s.opt.Log.Warn().Str("adapter", at.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("logout failed")
		s.alertAbout(t, h, at, alertNotEnded, end.Detail)
	}
	return err
}

// alertAbout records an alert about a session or an account.
func (s *Server) alertAbout(t *task, h *hold, at *site, code, detail string) {
	r := s.leaseRecord("alert", t, h, at)
	r.Code, r.Detail = code, detail

	s.metrics.alerts.WithLabelValues(r.Adapter, r.Code).Inc()
	s.opt.Log.Warn().Str("task", r.Task).Str("adapter", r.Adapter).Str("account", r.Account).Str("code", code).Msg(detail)
	s.log.Append(r)
}
