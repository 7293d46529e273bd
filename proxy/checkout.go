package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// A login, all its steps together, has this long.
const loginTimeout = 45 * time.Second

// hold is what a task keeps at one SaaS: the lease on an account, and the
// connections that carry that account's session and no other.
type hold struct {
	lease   *lease.Lease[*adapters.Session]
	adapter *adapters.Adapter
	pool    *wire.Pool
	home    *wire.Target                     // where the login and the logout happen
	scheme  string                           // by which the agent first named the SaaS, or better; see publicScheme
	last    atomic.Pointer[adapters.Session] // the newest session, also one that has ended: a logout may still need it
	dirty   atomic.Bool                      // the jar changed since it was last sealed into the store
}

func (h *hold) noteChange(s *adapters.Session) {
	if s.Changed() {
		h.dirty.Store(true)
	}
}

// checkout makes sure that the task holds one account of the adapter, and that
// the account has a live session.
func (x *exchange) checkout(ctx context.Context) error {
	var err error
	if x.target, err = x.tunnel.target(x.rules, x.adapter); err != nil {
		return err
	}
	if x.hold, err = x.c.holdFor(ctx, x.tunnel.task, x.adapter, x.target, x.publicScheme()); err != nil {
		return err
	}
	return x.openSession(ctx)
}

// publicScheme is how the SaaS believes it is reached, which decides whether its
// Secure cookies go out and what Origin says. Where TLS ends before the last
// stretch (upstream.url is http://), agents and people still name it by https.
func (x *exchange) publicScheme() string {
	if x.target.Scheme == "https" || x.in.Scheme == "https" {
		return "https"
	}
	return "http"
}

// openSession takes the live session, or logs in for everyone who waits.
func (x *exchange) openSession(ctx context.Context) error {
	s, turn, err := x.hold.lease.Session(ctx)
	if s != nil && s.Over(x.began) {
		x.hold.lease.Invalidate(s)
		s, turn, err = x.hold.lease.Session(ctx)
	}
	if turn != nil {
		s, err = x.c.takeTurn(turn, x.tunnel.task, x.hold, x.pins())
	}
	if err != nil {
		return x.noSession(err)
	}
	x.session = s
	return nil
}

// pins are the fields that stay the same for a whole session, as the first
// request carried them.
func (x *exchange) pins() []wire.Field { return x.out.Fields }

func (x *exchange) noSession(err error) error {
	if over := x.tunnel.task.Active(); over != nil {
		return ended(over)
	}
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	var backoff *lease.ErrBackoff
	if errors.As(err, &backoff) {
		r := refuse(LoginFailed, "the last login at %s failed; the next is tried after %s, so that the account is not locked out.",
			x.tunnel.host, backoff.Until.UTC().Format(time.RFC3339)).because(err)
		r.Retry = int(time.Until(backoff.Until)/time.Second) + 1
		return r
	}
	return refuse(LoginFailed, "Byline could not log in at %s. The operator's log and the record say which step failed.", x.tunnel.host).because(err)
}

// holdFor is the task's hold at the adapter, checked out at first use.
func (c *Corridor) holdFor(ctx context.Context, t *task, a *adapters.Adapter, home *wire.Target, scheme string) (*hold, error) {
	if h, ok := t.holds.Load(a.Name()); ok && h.(*hold).lease.Valid() {
		return h.(*hold), nil
	}
	accounts, err := c.vault.Accounts(ctx, a.Name())
	if err != nil {
		return nil, refuse(LeaseUnavailable, "the vault cannot be read; the operator's log says why.").because(err)
	}
	if len(accounts) == 0 {
		return nil, refuse(LeaseUnavailable, "no account is stored for %s. The operator can add one with: byline vault put %s/NAME", a.Name(), a.Name())
	}
	l, err := c.desk.Checkout(ctx, t.ID(), a.Name(), accounts)
	if err != nil {
		if over := t.Active(); over != nil {
			return nil, ended(over)
		}
		r := refuse(LeaseUnavailable, "all %d accounts of %s are held by other tasks. Try again later, or ask the operator for another account.", len(accounts), a.Name()).because(err)
		r.Retry = 10
		return nil, r
	}
	return c.keepHold(t, a, l, home, scheme)
}

// keepHold records the lease and gives it connections of its own. Two requests
// may get here with the same lease: the first one in wins.
func (c *Corridor) keepHold(t *task, a *adapters.Adapter, l *lease.Lease[*adapters.Session], home *wire.Target, scheme string) (*hold, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.holds.Load(a.Name()); ok {
		if old.(*hold).lease == l {
			return old.(*hold), nil
		}
		old.(*hold).pool.Close()
	}
	if err := t.Active(); err != nil {
		_ = l.Release() // the task ended while the account was being checked out
		return nil, ended(err)
	}
	h := &hold{lease: l, adapter: a, home: home, scheme: scheme, pool: wire.NewPool(c.opt.Wire, c.dialer.Dial)}
	t.holds.Store(a.Name(), h)
	r := c.leaseRecord("lease", t, h)
	r.Detail = "checked out"
	c.log.Append(r) // durable before the intent that follows it in the same log
	return h, nil
}

// takeTurn is the one login that everybody else waits for. It does not end
// with the request that happened to come first. Only what the SaaS saw counts
// as a failed login of the account.
func (c *Corridor) takeTurn(turn *lease.Turn[*adapters.Session], t *task, h *hold, pins []wire.Field) (*adapters.Session, error) {
	defer turn.Abandon() // after Done this is nothing
	if s := c.restoreSession(t, h); s != nil {
		h.last.Store(s)
		turn.Done(s, nil)
		return s, nil
	}
	ctx, cancel := context.WithTimeout(h.lease.Context(), loginTimeout)
	defer cancel()
	secret, err := c.vault.Secret(ctx, h.adapter.Name(), h.lease.Account())
	if err != nil {
		return nil, refuse(LoginFailed, "the vault does not give out the secret of %s/%s; the operator's log says why.", h.adapter.Name(), h.lease.Account()).because(err)
	}
	intent := c.log.Append(c.leaseRecord("login", t, h))
	if err := intent.Wait(ctx); err != nil {
		return nil, refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record it does not log in.").because(err)
	}
	d := h.adapter.Login(secret, pins)
	d.At(h.scheme, h.home.Authority)
	s, err := c.logIn(ctx, t, h, d, intent.ID())
	var e *wire.Error
	if errors.As(err, &e) && !e.Sent {
		return nil, unreached(h.home.Authority, err) // the SaaS saw nothing: no failed login
	}
	turn.Done(s, err)
	return s, err
}

// logIn walks the adapter's recipe, whose beginning is on record, and records
// how it ended.
func (c *Corridor) logIn(ctx context.Context, t *task, h *hold, d *adapters.Dialogue, intent string) (*adapters.Session, error) {
	began := time.Now()
	err := c.converse(ctx, h, d)
	end := c.leaseRecord("outcome", t, h)
	end.Intent, end.DurationUS = intent, time.Since(began).Microseconds()
	if err != nil {
		end.Code, end.Detail = string(LoginFailed), err.Error()
		c.opt.Log.Warn().Str("adapter", h.adapter.Name()).Str("account", h.lease.Account()).Err(err).Msg("login failed")
	}
	c.metrics.login(h.adapter.Name(), err == nil)
	if err != nil {
		c.log.Append(end)
		return nil, err
	}
	s := d.Session()
	h.last.Store(s)
	c.sealSession(t, h, s) // before the outcome: a session that a crash lost is a login without one
	c.log.Append(end)
	return s, nil
}

// converse sends what the dialogue asks for until it has what it wants.
func (c *Corridor) converse(ctx context.Context, h *hold, d *adapters.Dialogue) error {
	var last *adapters.Reply
	for {
		step, err := d.Next(last)
		if err != nil || step == nil {
			return err
		}
		if last, err = c.send(ctx, h, step); err != nil {
			return err
		}
	}
}

// maxReply bounds what a login page may weigh.
const maxReply = 4 << 20

func (c *Corridor) send(ctx context.Context, h *hold, step *adapters.Step) (*adapters.Reply, error) {
	if err := waitUntil(ctx, step.NotBefore); err != nil {
		return nil, err
	}
	target := *h.home
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

// leaseRecord is a record about an account rather than a request.
func (c *Corridor) leaseRecord(kind string, t *task, h *hold) *auditRecord {
	r := c.taskRecord(kind, t)
	r.Adapter, r.AdapterDigest, r.Host = h.adapter.Name(), h.adapter.Digest(), h.home.Authority
	r.Account, r.Lease = h.lease.Account(), h.lease.ID()
	return r
}
