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
)

// A login, all its steps together, has this long.
const loginTimeout = 45 * time.Second

// establishSession is the one login that everybody else waits for. It does not end
// with the request that happened to come first. Only what the SaaS saw counts
// as a failed login of the account.
func (c *Server) establishSession(turn *lease.Turn[*adapters.Session], t *task, h *hold, pins []wire.Field) (*adapters.Session, error) {
	defer turn.Abandon() // after Done this is nothing
	p := h.siteUnder(c.rules.Load())
	if s := c.restoreSession(t, h, p); s != nil {
		h.last.Store(s)
		turn.Done(s, nil)
		return s, nil
	}
	ctx, cancel := context.WithTimeout(h.lease.Context(), loginTimeout)
	defer cancel()
	secret, err := c.vault.Secret(ctx, p.adapter.Name(), h.lease.Account())
	if err != nil {
		return nil, refuse(LoginFailed, "the vault does not give out the secret of %s/%s; the operator's log says why.", p.adapter.Name(), h.lease.Account()).because(err)
	}
	intent := c.log.Append(c.leaseRecord("login", t, h, p))
	if err := intent.Wait(ctx); err != nil {
		return nil, refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record it does not log in.").because(err)
	}
	d := p.adapter.Login(secret, pins)
	d.At(p.scheme, p.home.Authority)
	s, err := c.logIn(ctx, t, h, p, d, intent.ID())
	var e *wire.Error
	if errors.As(err, &e) && !e.Sent {
		return nil, unreached(p.home.Authority, err) // the SaaS saw nothing: no failed login
	}
	if err != nil {
		c.failed.Store(accountKey(p, h), attempt{p.adapter.Digest(), secret})
	} else {
		c.failed.Delete(accountKey(p, h))
	}
	turn.Done(s, err)
	return s, err
}

// logIn walks the adapter's recipe, whose beginning is on record, and records
// how it ended.
func (c *Server) logIn(ctx context.Context, t *task, h *hold, p *site, d *adapters.Dialogue, intent string) (*adapters.Session, error) {
	began := time.Now()
	err := c.runDialogue(ctx, h, p, d)
	end := c.leaseRecord("outcome", t, h, p)
	end.Intent, end.DurationUS = intent, time.Since(began).Microseconds()
	if err != nil {
		end.Code, end.Detail = string(LoginFailed), err.Error()
		c.opt.Log.Warn().Str("adapter", p.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("login failed")
	}
	c.metrics.login(p.adapter.Name(), err == nil)
	if err != nil {
		c.log.Append(end)
		return nil, err
	}
	s := d.Session()
	h.last.Store(s)
	c.sealSession(t, h, p, s) // before the outcome: a session that a crash lost is a login without one
	c.log.Append(end)
	return s, nil
}

// runDialogue sends what the dialogue asks for until it has what it wants.
func (s *Server) runDialogue(ctx context.Context, h *hold, p *site, d *adapters.Dialogue) error {
	var last *adapters.Reply
	for {
		step, err := d.Next(last)
		if err != nil || step == nil {
			return err
		}
		if last, err = s.sendStep(ctx, h, p, step); err != nil {
			return err
		}
	}
}

// maxReply bounds what a login page may weigh.
const maxReply = 4 << 20

func (s *Server) sendStep(ctx context.Context, h *hold, p *site, step *adapters.Step) (*adapters.Reply, error) {
	if err := waitUntil(ctx, step.NotBefore); err != nil {
		return nil, err
	}
	target := *p.home
	if step.Authority != "" {
		target.Authority = step.Authority
	}
	if step.Away {
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
	if reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply)); err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return reply, nil
}

// waitUntil waits for a time in the near future; the zero time has passed.
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

// stepRequest is one request of a login or logout recipe.
func stepRequest(step *adapters.Step, target *wire.Target) *wire.Request {
	path, query, has := cutQuery(step.Path)
	r := &wire.Request{Head: wire.Head{
		Proto: "HTTP/1.1", Method: step.Method, Scheme: target.Scheme, Authority: target.Authority,
		Path: path, Query: query, HasQuery: has, Fields: requestReadableText(step.Fields), Length: int64(len(step.Body)),
	}}
	if len(step.Body) > 0 {
		r.Body = bytes.NewReader(step.Body)
	}
	return r
}

// logOut ends a session at the SaaS by the adapter's recipe, on record before
// and after.
func (c *Server) logOut(ctx context.Context, t *task, h *hold, p *site, s *adapters.Session) error {
	d := p.adapter.Logout(s)
	if d == nil {
		return nil
	}
	fresh := &hold{lease: h.lease, pool: wire.NewPool(c.opt.Wire, c.dialer.Dial)}
	defer fresh.pool.Close()
	ticket := c.log.Append(c.leaseRecord("logout", t, fresh, p))
	if err := ticket.Wait(ctx); err != nil {
		return err
	}
	err := c.runDialogue(ctx, fresh, p, d)
	end := c.leaseRecord("outcome", t, fresh, p)
	end.Intent = ticket.ID()
	if err != nil {
		end.Detail = "logout failed: " + err.Error()
		c.opt.Log.Warn().Str("adapter", p.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("logout failed")
	}
	c.log.Append(end)
	return err
}

// attempt is what the last failed login of an account was made of.
type attempt struct {
	digest string // the adapter's
	secret vault.Secret
}

// loginInputsChanged reports whether the account's secret or the adapter is another one
// than when its login last failed: then waiting is for nothing.
func (c *Server) loginInputsChanged(ctx context.Context, h *hold) bool {
	p := h.siteUnder(c.rules.Load())
	v, ok := c.failed.Load(accountKey(p, h))
	if !ok {
		return false
	}
	failed := v.(attempt)
	if failed.digest != p.adapter.Digest() {
		return true
	}
	s, err := c.vault.Secret(ctx, p.adapter.Name(), h.lease.Account())
	return err == nil && !s.Equal(failed.secret)
}

func accountKey(p *site, h *hold) string { return p.adapter.Name() + "/" + h.lease.Account() }
