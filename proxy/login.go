package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/vault"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
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
		h.last.Store(session)
		login.Done(session, nil)
		return session, nil
	}

	ctx, cancel := loginContext(h)
	defer cancel()
	s.endEarlierSessions(ctx, t, h, at)
	secret, err := s.vault.Secret(ctx, at.adapter.Name(), h.lease.Account())
	if err != nil {
		return nil, refuse(LoginFailed, "the vault does not give out the secret of %s/%s; the operator's log says why.", at.adapter.Name(), h.lease.Account()).because(err)
	}

	intent := s.log.Append(s.leaseRecord("login", t, h, at))
	if err := intent.Wait(ctx); err != nil {
		return nil, refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record it does not log in.").because(err)
	}

	d := at.adapter.Login(secret, pinned)
	d.UseHost(at.scheme, at.home.Authority)
	session, err := s.logIn(ctx, t, h, at, d, intent.ID())
	var e *wire.Error
	if errors.As(err, &e) && !e.Sent {
		return nil, refuseUnreached(at.home.Authority, err)
	}
	if err != nil && h.lease.Context().Err() != nil {
		return nil, err // it was given up; nobody waits for a verdict
	}

	made := failedLogin{at.adapter.Digest(), secret}
	h.madeWith.Store(&made)
	if err != nil {
		s.failed.Store(accountKey(at, h), made)
	} else {
		s.failed.Delete(accountKey(at, h))
	}
	login.Done(session, err)
	return session, err
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
func (s *Server) logIn(ctx context.Context, t *task, h *hold, at *site, d *adapters.Dialogue, intent string) (*adapters.Session, error) {
	started := time.Now()
	pool, done := h.loginPool(s.newPool)
	defer done()
	err := s.runDialogue(ctx, &channel{pool: pool, at: at, lease: h.lease.Context()}, d)
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
	s.sealSession(t, h, at, session)
	s.log.Append(end)
	return session, nil
}

// channel is how the steps of a dialogue are sent.
type channel struct {
	pool  *upstream.Pool
	at    *site
	lease context.Context       // if not nil: nothing begins, and nothing waits, after its end
	saw   func(*adapters.Reply) // if not nil: called with each answer
}

// runDialogue sends the dialogue's steps, each with the reply to the one before,
// until the dialogue is complete or fails.
func (s *Server) runDialogue(ctx context.Context, c *channel, d *adapters.Dialogue) error {
	if c.lease != nil && c.lease.Err() != nil {
		return fmt.Errorf("nothing was sent: %w", context.Cause(c.lease))
	}

	var last *adapters.Reply
	for {
		step, err := d.Next(last)
		if err != nil || step == nil {
			return err
		}
		last, err = sendStep(ctx, c, step)
		if err != nil {
			return err
		}
		if c.saw != nil {
			c.saw(last)
		}
	}
}

// maxReply bounds the bytes that are read of the answer to a step.
const maxReply = 4 << 20

// sendStep sends one step of a dialogue and returns the application's answer.
func sendStep(ctx context.Context, c *channel, step *adapters.Step) (*adapters.Reply, error) {
	waiting := ctx
	if c.lease != nil {
		waiting = c.lease
	}
	if err := waitUntil(waiting, step.NotBefore); err != nil {
		return nil, err
	}

	target := *c.at.home
	if step.Authority != "" {
		target.Authority = step.Authority
	}
	if step.External {
		target.Scheme, target.Addr = step.Scheme, ""
	}
	resp, err := c.pool.RoundTrip(ctx, &target, stepRequest(step, &target))
	if err != nil {
		return nil, err
	}
	if err := decode(resp); err != nil {
		return nil, err
	}

	reply := &adapters.Reply{Status: resp.Status, Fields: resp.Fields}
	if resp.Body == nil {
		return reply, nil
	}
	defer closeBody(resp)
	reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return reply, nil
}

// stepRequest returns the request of one step.
func stepRequest(step *adapters.Step, target *upstream.Target) *wire.Request {
	path, query, has := cutQuery(step.Path)
	r := &wire.Request{Head: wire.Head{
		Proto: "HTTP/1.1", Method: step.Method, Scheme: target.Scheme, Authority: target.Authority,
		Path: path, Query: query, HasQuery: has,
		Fields: requestReadableText(step.Fields), Length: int64(len(step.Body)),
	}}
	if len(step.Body) > 0 {
		r.Body = bytes.NewReader(step.Body)
	}
	return r
}

// waitUntil waits until a one-time code can be used, or a login be tried. The
// zero time is past.
func waitUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return nil
	}

	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting until %s: %w", at.UTC().Format(time.RFC3339), context.Cause(ctx))
	}
}

// failedLogin holds what the last login of an account was made with that failed,
// or whose session was of no use.
type failedLogin struct {
	digest string // of the adapter
	secret vault.Secret
}

// loginInputsChanged reports whether the account's secret or the adapter has
// changed since the account's login last failed. A login may then be tried
// before its back-off is over, or although the account needed a person.
func (s *Server) loginInputsChanged(ctx context.Context, h *hold) bool {
	at := h.siteUnder(s.rules.Load())
	v, ok := s.failed.Load(accountKey(at, h))
	if !ok {
		return false
	}

	failed := v.(failedLogin)
	if failed.digest != at.adapter.Digest() {
		return true
	}
	secret, err := s.vault.Secret(ctx, at.adapter.Name(), h.lease.Account())
	return err == nil && !secret.Equal(failed.secret)
}

func accountKey(at *site, h *hold) string { return at.adapter.Name() + "/" + h.lease.Account() }
