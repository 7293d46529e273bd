package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// checkout makes sure that the task holds one account of the adapter, and that
// the account has a live session.
func (x *exchange) checkout(ctx context.Context) error {
	var err error
	if x.target, err = x.tunnel.target(x.rules, x.adapter); err != nil {
		return err
	}
	if x.hold, err = x.server.holdFor(ctx, x.tunnel.task, &site{x.rules, x.adapter, x.target, x.publicScheme()}); err != nil {
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
	if _, paused := errors.AsType[*lease.ErrBackoff](err); paused && x.server.loginInputsChanged(ctx, x.hold) {
		x.hold.lease.Retry()
		s, turn, err = x.hold.lease.Session(ctx)
	}
	if s != nil && s.Over(x.started) {
		x.hold.lease.Invalidate(s)
		s, turn, err = x.hold.lease.Session(ctx)
	}
	if turn != nil {
		s, err = x.server.establishSession(turn, x.tunnel.task, x.hold, x.pins())
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
func (s *Server) holdFor(ctx context.Context, t *task, p *site) (*hold, error) {
	a := p.adapter
	if h, ok := t.holds.Load(a.Name()); ok && h.(*hold).lease.Valid() {
		return h.(*hold), nil
	}
	accounts, err := s.vault.Accounts(ctx, a.Name())
	if err != nil {
		return nil, refuse(LeaseUnavailable, "the vault cannot be read; the operator's log says why.").because(err)
	}
	if len(accounts) == 0 {
		return nil, refuse(LeaseUnavailable, "no account is stored for %s. The operator can add one with: byline vault put %s/NAME", a.Name(), a.Name())
	}
	l, err := s.desk.Checkout(ctx, t.ID(), a.Name(), accounts)
	if err != nil {
		if over := t.Active(); over != nil {
			return nil, ended(over)
		}
		r := refuse(LeaseUnavailable, "all %d accounts of %s are held by other tasks. Try again later, or ask the operator for another account.", len(accounts), a.Name()).because(err)
		r.Retry = 10
		return nil, r
	}
	return s.keepHold(t, p, l)
}

// keepHold records the lease and gives it connections of its own. Two requests
// may get here with the same lease: the first one in wins.
func (s *Server) keepHold(t *task, p *site, l *lease.Lease[*adapters.Session]) (*hold, error) {
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
	h.lease, h.pool = l, wire.NewPool(s.opt.Wire, s.dialer.Dial)
	t.holds.Store(p.adapter.Name(), h)
	r := s.leaseRecord("lease", t, h, p)
	r.Detail = "checked out"
	s.log.Append(r) // durable before the intent that follows it in the same log
	return h, nil
}
