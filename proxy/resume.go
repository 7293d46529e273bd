package proxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/state"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// resumeTasks restores what an earlier run left in the store: living tasks go on
// with the accounts they held; for all others the session is logged out and the
// account checked in, so that no crash holds a lease for ever.
func (c *Server) resumeTasks() error {
	stored, err := c.state.Tasks()
	if err != nil {
		return fmt.Errorf("stored tasks: %w", err)
	}
	for _, s := range stored {
		it, err := c.identities.Restore(s.Doc)
		if err != nil {
			c.opt.Log.Warn().Str("task", s.ID).Err(err).Msg("stored task dropped")
			_ = c.state.DropTask(s.ID)
			continue
		}
		c.tasks.Store(it.ID(), &task{Task: it})
	}
	leases, err := c.state.Leases()
	if err != nil {
		return fmt.Errorf("stored leases: %w", err)
	}
	for _, l := range leases {
		c.resumeLease(l)
	}
	return nil
}

// resumeLease checks the account out again for the task that held it. If that
// task is over, this is only to end what it left behind.
func (s *Server) resumeLease(l state.Lease) {
	t := s.task(l.Task)
	if t == nil {
		t = &task{Task: identity.Orphan(l.Task)}
	}
	r := s.rules.Load()
	a := r.adapters.ByName(l.Adapter)
	if a == nil {
		s.opt.Log.Warn().Str("adapter", l.Adapter).Str("account", l.Account).Msg("a lease of an adapter that is gone was left to lapse")
		return
	}
	left, session, err := s.openStoredSession(a, l.Account)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		s.opt.Log.Warn().Str("adapter", l.Adapter).Str("account", l.Account).Err(err).Msg("stored session cannot be read; it is left to lapse at the application")
	}
	if left.Home == "" {
		left.Home, left.Scheme = a.Hosts()[0], "https"
	}
	home, err := r.targetOf(a, canonicalAuthority(left.Home, "https"))
	if err == nil {
		err = s.adoptLease(t, a, l, newHold(&site{r, a, home, left.Scheme}), session)
	}
	if err != nil {
		s.opt.Log.Warn().Str("adapter", l.Adapter).Str("account", l.Account).Err(err).Msg("stored lease not taken back")
	}
}

// adoptLease gives a lease that came from the store its connections, and ends it if
// its task is over.
func (s *Server) adoptLease(t *task, a *adapters.Adapter, stored state.Lease, h *hold, session *adapters.Session) error {
	l, err := s.desk.Checkout(context.Background(), stored.Task, stored.Adapter, []string{stored.Account})
	if err != nil {
		return err
	}
	h.lease, h.pool = l, upstream.NewPool(s.opt.Wire, s.dialer.Dial)
	t.holds.Store(a.Name(), h)
	if t.Active() == nil {
		return nil
	}
	h.last.Store(session)
	s.background.Go(func() {
		for _, l := range s.desk.CheckIn(stored.Task) {
			s.retryUntilRecorded(func(ctx context.Context) error { return s.releaseLease(ctx, t, l, h) })
		}
	})
	return nil
}
