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

// establishSession makes the one session that every request of the lease waits
// for. It goes on if the request that came first is cancelled. Only what the
// application has seen counts as a failed login of the account.
func (s *Server) establishSession(login *lease.Login[*adapters.Session], t *task, h *hold, pinned []wire.Field) (*adapters.Session, error) {
	defer login.Abandon() // no-op after Done

	at := h.siteUnder(s.rules.Load())
	if session := s.restoreSession(t, h, at); session != nil {
		h.last.Store(session)
		login.Done(session, nil)
		return session, nil
	}

	ctx, cancel := context.WithTimeout(h.lease.Context(), loginTimeout)
	defer cancel()
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
		return nil, unreached(at.home.Authority, err)
	}

	if err != nil {
		s.failed.Store(accountKey(at, h), failedLogin{at.adapter.Digest(), secret})
	} else {
		s.failed.Delete(accountKey(at, h))
	}
	login.Done(session, err)
	return session, err
}

// logIn runs the adapter's login, whose intent is on record, and records how it
// ended. The session is stored before the outcome is recorded, so that a session
// that a crash loses is a login without an outcome.
func (s *Server) logIn(ctx context.Context, t *task, h *hold, at *site, d *adapters.Dialogue, intent string) (*adapters.Session, error) {
	started := time.Now()
	err := s.runDialogue(ctx, h, at, d)

	end := s.leaseRecord("outcome", t, h, at)
	end.Intent, end.DurationUS = intent, time.Since(started).Microseconds()
	s.metrics.login(at.adapter.Name(), err == nil)
	if err != nil {
		end.Code, end.Detail = string(LoginFailed), err.Error()
		s.opt.Log.Warn().Str("adapter", at.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("login failed")
		s.log.Append(end)
		return nil, err
	}

	session := d.Session()
	h.last.Store(session)
	s.sealSession(t, h, at, session)
	s.log.Append(end)
	return session, nil
}

// logOut ends a session at the application by the adapter's recipe, recorded
// before and after. It uses connections of its own: those of the lease may be
// closed already.
func (s *Server) logOut(ctx context.Context, t *task, h *hold, at *site, session *adapters.Session) error {
	d := at.adapter.Logout(session)
	if d == nil {
		return nil
	}

	fresh := &hold{lease: h.lease, pool: upstream.NewPool(s.opt.Wire, s.dialer.Dial)}
	defer fresh.pool.Close()
	ticket := s.log.Append(s.leaseRecord("logout", t, fresh, at))
	if err := ticket.Wait(ctx); err != nil {
		return err
	}

	err := s.runDialogue(ctx, fresh, at, d)

	end := s.leaseRecord("outcome", t, fresh, at)
	end.Intent = ticket.ID()
	if err != nil {
		end.Detail = "logout failed: " + err.Error()
		s.opt.Log.Warn().Str("adapter", at.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("logout failed")
	}
	s.log.Append(end)
	return err
}

// runDialogue sends the dialogue's steps, each with the reply to the one before,
// until the dialogue is complete or fails.
func (s *Server) runDialogue(ctx context.Context, h *hold, at *site, d *adapters.Dialogue) error {
	var last *adapters.Reply
	for {
		step, err := d.Next(last)
		if err != nil || step == nil {
			return err
		}
		last, err = s.sendStep(ctx, h, at, step)
		if err != nil {
			return err
		}
	}
}

// maxReply bounds the bytes that are read of the answer to a step.
const maxReply = 4 << 20

// sendStep sends one step of a dialogue and returns the application's answer.
func (s *Server) sendStep(ctx context.Context, h *hold, at *site, step *adapters.Step) (*adapters.Reply, error) {
	if err := waitUntil(ctx, step.NotBefore); err != nil {
		return nil, err
	}

	target := *at.home
	if step.Authority != "" {
		target.Authority = step.Authority
	}
	if step.External {
		target.Scheme, target.Addr = step.Scheme, ""
	}
	resp, err := h.pool.RoundTrip(ctx, &target, stepRequest(step, &target))
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

// waitUntil waits until a one-time code can be used. The zero time is past.
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
		return fmt.Errorf("no one-time code could be used yet: %w", context.Cause(ctx))
	}
}

// failedLogin holds what the last failed login of an account was made with.
type failedLogin struct {
	digest string // of the adapter
	secret vault.Secret
}

// loginInputsChanged reports whether the account's secret or the adapter has
// changed since the account's login last failed. A login may then be tried
// before its back-off is over.
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
