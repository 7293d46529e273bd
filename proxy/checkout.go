package proxy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// checkout makes sure that the task holds one account of the adapter, and that
// the account has a live session.
func (x *exchange) checkout(ctx context.Context) error {
	var err error
	x.target, err = x.tunnel.target(x.rules, x.adapter)
	if err != nil {
		return err
	}

	x.hold = x.tunnel.task.holdOn(x.adapter.Name())
	if x.hold == nil {
		at := &site{rules: x.rules, adapter: x.adapter, home: x.target, scheme: x.publicScheme()}
		x.hold, err = x.server.checkOut(ctx, x.tunnel.task, at)
		if err != nil {
			return err
		}
	}
	if err := x.openSession(ctx); err != nil {
		return err
	}
	return x.stripNamesOfSession()
}

// publicScheme returns the scheme by which the application believes it is
// reached. It decides whether Secure cookies go out and what Origin says. If TLS
// ends in front of the application (upstream.url is http://), agents and people
// still name it by https.
func (x *exchange) publicScheme() string {
	if x.target.Scheme == "https" || x.in.Scheme == "https" {
		return "https"
	}
	return "http"
}

// maxPauseWait bounds how long a request waits for the pause between a session
// that was over soon and the next login. Longer pauses are refused.
const maxPauseWait = 2 * time.Second

// openSession sets x.session to the account's live session. If there is none,
// one of the requests that need it logs in and the others wait for it.
func (x *exchange) openSession(ctx context.Context) error {
	session, login, err := x.hold.lease.Session(ctx)
	if pause, ok := errors.AsType[*lease.BackoffError](err); ok && pause.Reason == lease.SessionsEnded && time.Until(pause.Until) <= maxPauseWait {
		if err := waitUntil(ctx, pause.Until); err != nil {
			return x.noSession(err)
		}
		session, login, err = x.hold.lease.Session(ctx)
	}
	if isLoginRefused(err) && x.loginInputsChanged(ctx) {
		x.server.warnNotStored(x.hold, x.hold.lease.AllowLogin())
		session, login, err = x.hold.lease.Session(ctx)
	}
	if session != nil && session.Expired(x.started) {
		if x.hold.lease.Invalidate(session) {
			x.server.discard(x.tunnel.task, x.hold, x.hold.site.Load(), session, "its time at the application was over")
		}
		session, login, err = x.hold.lease.Session(ctx)
	}
	if login != nil {
		session, err = x.server.establishSession(login, x.tunnel.task, x.hold, x.out.Fields)
	}
	if err != nil {
		return x.noSession(err)
	}

	x.session = session
	return nil
}

// isLoginRefused reports whether err says that no login is tried now.
func isLoginRefused(err error) bool {
	_, paused := errors.AsType[*lease.BackoffError](err)
	_, blocked := errors.AsType[*lease.BlockedError](err)
	return paused || blocked
}

// noSession returns the refusal for a login that failed or is not tried yet.
func (x *exchange) noSession(err error) error {
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}

	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	if backoff, ok := errors.AsType[*lease.BackoffError](err); ok {
		return x.refuseBackoff(backoff)
	}
	if blocked, ok := errors.AsType[*lease.BlockedError](err); ok {
		return x.refuseBlocked(blocked)
	}
	return refuse(LoginFailed, "Byline could not log in at %s. The operator's log and the record say which step failed.", x.tunnel.host).because(err)
}

// holdOn returns what the task holds at an adapter, or nil if it holds nothing there
// or its lease was lost.
func (t *task) holdOn(adapter string) *hold {
	h, ok := t.holds.Load(adapter)
	if !ok || !h.(*hold).lease.Valid() {
		return nil
	}
	return h.(*hold)
}

// checkOut checks an account of the site's adapter out for a task that holds none.
func (s *Server) checkOut(ctx context.Context, t *task, at *site) (*hold, error) {
	name := at.adapter.Name()
	accounts, err := s.vault.Accounts(ctx, name)
	if err != nil {
		return nil, refuse(LeaseUnavailable, "the vault cannot be read; the operator's log says why.").because(err)
	}
	if len(accounts) == 0 {
		return nil, refuse(LeaseUnavailable, "no account is stored for %s. The operator can add one with: byline vault put %s/NAME", name, name)
	}

	kept, err := s.inQuarantine(name)
	if err != nil {
		return nil, refuse(LeaseUnavailable, "the state store cannot be read; the operator's log says why.").because(err)
	}
	usable := slices.DeleteFunc(slices.Clone(accounts), func(account string) bool { _, is := kept[account]; return is })
	if len(usable) == 0 {
		return nil, refuse(LeaseUnavailable, "every account of %s is in quarantine (byline account list). The operator changes its secret and releases it with: byline account retry %s/NAME", name, name)
	}

	l, err := s.leases.Checkout(ctx, t.ID(), name, usable)
	if err != nil {
		if over := t.Active(); over != nil {
			return nil, refuseEnded(over)
		}
		if errors.Is(err, state.ErrUnavailable) {
			r := refuse(LeaseUnavailable, "the state store, which knows which accounts are free, cannot be written at the moment; the operator's log says why.").because(err)
			r.Retry = 5
			return nil, r
		}
		r := refuse(LeaseUnavailable, "all %d accounts of %s are held by other tasks. Try again later, or ask the operator for another account.", len(accounts), name).because(err)
		r.Retry = 10
		return nil, r
	}
	if kept, err = s.inQuarantine(name); err != nil || kept[l.Account()] != "" { // while this task waited for it
		_ = l.Release()
		return nil, refuse(LeaseUnavailable, "an account of %s has just been put in quarantine. Try again.", name).because(err)
	}
	return s.addHold(t, at, l)
}

// newPool returns connections that nobody else uses.
func (s *Server) newPool() *upstream.Pool { return upstream.NewPool(s.opt.Wire, s.dialer.Dial) }

// endLostLease is called when a lease has ended. If it was lost, the account may be
// another task's by now: what is in flight on it is cut, and the loss is put on record.
func (s *Server) endLostLease(t *task, h *hold, at *site) {
	if !isLost(h.lease.Context()) {
		return
	}

	h.closePool()
	cause := context.Cause(h.lease.Context())
	s.opt.Log.Warn().Str("task", t.ID()).Str("adapter", at.adapter.Name()).Str("account", h.lease.Account()).Err(cause).Msg("the lease on an account was lost")
	r := s.leaseRecord("lease", t, h, at)
	r.Code, r.Detail = string(LeaseLost), "lost: "+cause.Error()
	s.log.Append(r)
}

// addHold records a lease that was checked out and gives it connections that no
// other lease uses. Two requests may arrive with the same lease; both get the
// hold of the first.
func (s *Server) addHold(t *task, at *site, l *lease.Lease[*adapters.Session]) (*hold, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if old, ok := t.holds.Load(at.adapter.Name()); ok {
		if old.(*hold).lease == l {
			return old.(*hold), nil
		}
		old.(*hold).closePool()
	}
	if err := t.Active(); err != nil {
		_ = l.Release() // the task ended while the account was being checked out
		return nil, refuseEnded(err)
	}

	h := newHold(at)
	h.lease, h.pool = l, s.newPool()
	t.holds.Store(at.adapter.Name(), h)

	r := s.leaseRecord("lease", t, h, at)
	r.Detail = "checked out"
	s.log.Append(r) // durable before the intent, which follows it in the same log
	context.AfterFunc(l.Context(), func() { s.endLostLease(t, h, at) })
	return h, nil
}
