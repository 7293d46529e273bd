package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// loginTimeout bounds a login, all of its steps together.
const loginTimeout = 45 * time.Second

// endingsWait bounds how long a login waits for the logouts of earlier sessions.
// Applications exist at which a logout ends every session of the account.
const endingsWait = 5 * time.Second

// establishSession makes the one session that every request of the lease waits
// for. It goes on if the request that came first is cancelled, and once something
// was sent also if the task ends: a session that nobody waits for would be left
// at the application. Only what the application has seen counts as a failed login
// of the account.
func (s *Server) establishSession(login *lease.Login[*adapters.Session], t *task, h *hold, pinned []wire.Field) (*adapters.Session, error) {
	defer login.Abandon() // no-op after Done

	at := h.siteUnder(s.rules.Load())
	if session := s.restoreSession(t, h, at); session != nil {
		s.loginCookies(at.adapter.Name()).Learn(session)
		h.last.Store(session)
		login.Resume(session)
		return session, nil
	}

	ctx, cancel := loginContext(h)
	defer cancel()
	s.endEarlierSessions(ctx, t, h, at)
	secret, err := s.vault.Secret(ctx, at.adapter.Name(), h.lease.Account())
	if err != nil {
		return nil, refuse(LoginFailed, "the vault does not give out the secret of %s/%s; the operator's log says why.", at.adapter.Name(), h.lease.Account()).because(err)
	}

	login.UseInputs(s.loginInputs(at.adapter, secret))

	intent := s.log.Append(s.leaseRecord("login", t, h, at))
	if err := intent.Wait(ctx); err != nil {
		return nil, refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record it does not log in.").because(err)
	}

	d := at.adapter.Login(secret, pinned)
	d.UseHost(at.scheme, at.home.Authority)
	d.ReserveSteps(s.reserveStep)
	session, err := s.logIn(ctx, t, h, at, d, login, intent.ID())
	if err != nil {
		return nil, s.judgeFailedLogin(login, h, at, err)
	}

	if h.lease.IsSuspect() {
		if why := s.isOverAtOnce(ctx, at, session); why != "" {
			return nil, s.blockAccount(login, t, h, at, session, why)
		}
	}
	s.warnNotStored(h, login.Done(session, nil))
	return session, nil
}

// judgeFailedLogin ends a login that failed with err, and returns the error for the
// waiting requests. If nothing was sent, nothing is counted.
func (s *Server) judgeFailedLogin(login *lease.Login[*adapters.Session], h *hold, at *site, err error) error {
	failed, ok := errors.AsType[*dialogueError](err)
	if !ok {
		s.warnNotStored(h, login.Done(nil, err)) // the session is not the account's
		return err
	}

	e, _ := errors.AsType[*wire.Error](err)
	switch {
	case e != nil && !e.Sent && failed.last == nil:
		return refuseUnreached(at.home.Authority, err)
	case h.lease.Context().Err() != nil && !failed.proves:
		return err // it was given up; nobody waits for a verdict
	case failed.isRefusal():
		s.warnNotStored(h, login.Done(nil, err))
	default:
		s.warnNotStored(h, login.Fail(err, failed.notBefore(time.Now())))
	}
	return err
}

// blockAccount ends a login whose session was over at once, as Byline has seen for
// itself. It returns the error for the waiting requests.
func (s *Server) blockAccount(login *lease.Login[*adapters.Session], t *task, h *hold, at *site, session *adapters.Session, why string) error {
	s.discard(t, h, at, session, "it was over at once")
	s.alertAbout(t, h, at, alertNeedsPerson, why)
	blocked, err := login.Block(why)
	s.warnNotStored(h, err)
	return blocked
}

// warnNotStored logs that what a login has shown could not be stored. It holds until
// the next restart all the same.
func (s *Server) warnNotStored(h *hold, err error) {
	if err != nil {
		s.opt.Log.Error().Str("adapter", h.lease.Adapter()).Str("account", h.lease.Account()).Err(err).Msg("what the login has shown is not stored")
	}
}

// loginContext bounds a login of the hold. The context ends with the lease, but
// not when the task is checked in: then the login finishes, and the session is
// logged out before the account is free.
func loginContext(h *hold) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
	stop := context.AfterFunc(h.lease.Context(), func() {
		if !errors.Is(context.Cause(h.lease.Context()), lease.ErrCheckedIn) {
			cancel()
		}
	})
	return ctx, func() {
		stop()
		cancel()
	}
}

// endEarlierSessions waits for the logout of sessions that were given up, and
// logs out the one that another task has left at the account when its lease was
// lost (I5).
func (s *Server) endEarlierSessions(ctx context.Context, t *task, h *hold, at *site) {
	ctx, cancel := context.WithTimeout(ctx, endingsWait)
	defer cancel()

	if h.last.Load() == nil {
		stored, session, err := s.openStoredSession(at.adapter, h.lease.Account())
		if err == nil && stored.Task != t.ID() {
			s.discard(t, h, at, session, "left by the task "+stored.Task+", which lost the account")
		}
	}
	h.endings.wait(ctx)
}

// logIn runs the adapter's login, whose intent is on record, and records how it
// ended. The session is stored before the outcome is recorded, so that a session
// that a crash loses is a login without an outcome.
func (s *Server) logIn(ctx context.Context, t *task, h *hold, at *site, d *adapters.Dialogue, login *lease.Login[*adapters.Session], intent string) (*adapters.Session, error) {
	started := time.Now()
	pool, done := h.loginPool(s.newPool)
	defer done()
	err := s.runDialogue(ctx, &channel{pool: pool, at: at, lease: h.lease.Context(), begin: login.Begin, fresh: s.newPool}, d)
	session := d.Session()
	doubt := ""
	if err == nil {
		doubt, err = s.checkLogin(ctx, pool, at, session)
		if err != nil {
			s.discard(t, h, at, session, err.Error())
		}
	}

	end := s.leaseRecord("outcome", t, h, at)
	end.Intent, end.DurationUS = intent, time.Since(started).Microseconds()
	s.metrics.login(at.adapter.Name(), err == nil)
	if err != nil {
		end.Code, end.Detail = string(LoginFailed), err.Error()
		s.opt.Log.Warn().Str("adapter", at.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("login failed")
		s.log.Append(end)
		return nil, err
	}

	if doubt != "" {
		end.Detail = doubt
		s.opt.Log.Warn().Str("adapter", at.adapter.Name()).Str("account", h.lease.Account()).Msg(doubt)
	}
	h.last.Store(session)
	s.loginCookies(at.adapter.Name()).Learn(session)
	s.sealSession(t, h, at, session)
	s.log.Append(end)
	return session, nil
}
