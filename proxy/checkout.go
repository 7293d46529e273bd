package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// A login, all its steps together, has this long.
const loginTimeout = 45 * time.Second

// checkout makes sure that the task holds one account of the adapter, and that
// the account has a live session.
func (x *exchange) checkout(ctx context.Context) error {
	var err error
	if x.target, err = x.tunnel.target(x.rules, x.adapter); err != nil {
		return err
	}
	if x.hold, err = x.c.holdFor(ctx, x.tunnel.task, &place{x.rules, x.adapter, x.target, x.publicScheme()}); err != nil {
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
	if _, paused := errors.AsType[*lease.ErrBackoff](err); paused && x.c.mended(ctx, x.hold) {
		x.hold.lease.Retry()
		s, turn, err = x.hold.lease.Session(ctx)
	}
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
func (c *Corridor) holdFor(ctx context.Context, t *task, p *place) (*hold, error) {
	a := p.adapter
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
	return c.keepHold(t, p, l)
}

// keepHold records the lease and gives it connections of its own. Two requests
// may get here with the same lease: the first one in wins.
func (c *Corridor) keepHold(t *task, p *place, l *lease.Lease[*adapters.Session]) (*hold, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.holds.Load(p.adapter.Name()); ok {
		if old.(*hold).lease == l {
			return old.(*hold), nil
		}
		old.(*hold).pool.Close()
	}
	if err := t.Active(); err != nil {
		_ = l.Release() // the task ended while the account was being checked out
		return nil, ended(err)
	}
	h := newHold(p)
	h.lease, h.pool = l, wire.NewPool(c.opt.Wire, c.dialer.Dial)
	t.holds.Store(p.adapter.Name(), h)
	r := c.leaseRecord("lease", t, h, p)
	r.Detail = "checked out"
	c.log.Append(r) // durable before the intent that follows it in the same log
	return h, nil
}

// takeTurn is the one login that everybody else waits for. It does not end
// with the request that happened to come first. Only what the SaaS saw counts
// as a failed login of the account.
func (c *Corridor) takeTurn(turn *lease.Turn[*adapters.Session], t *task, h *hold, pins []wire.Field) (*adapters.Session, error) {
	defer turn.Abandon() // after Done this is nothing
	p := h.under(c.rules.Load())
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
func (c *Corridor) logIn(ctx context.Context, t *task, h *hold, p *place, d *adapters.Dialogue, intent string) (*adapters.Session, error) {
	began := time.Now()
	err := c.converse(ctx, h, p, d)
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

// converse sends what the dialogue asks for until it has what it wants.
func (c *Corridor) converse(ctx context.Context, h *hold, p *place, d *adapters.Dialogue) error {
	var last *adapters.Reply
	for {
		step, err := d.Next(last)
		if err != nil || step == nil {
			return err
		}
		if last, err = c.send(ctx, h, p, step); err != nil {
			return err
		}
	}
}

// maxReply bounds what a login page may weigh.
const maxReply = 4 << 20

func (c *Corridor) send(ctx context.Context, h *hold, p *place, step *adapters.Step) (*adapters.Reply, error) {
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

// leaseRecord is a record about an account rather than a request.
func (c *Corridor) leaseRecord(kind string, t *task, h *hold, p *place) *auditRecord {
	r := c.taskRecord(kind, t)
	r.Adapter, r.AdapterDigest, r.Host = p.adapter.Name(), p.adapter.Digest(), p.home.Authority
	r.Account, r.Lease = h.lease.Account(), h.lease.ID()
	return r
}
