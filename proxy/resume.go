package proxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/state"
)

// resumeTasks restores what an earlier run left in the store. Tasks that are still
// active go on with the accounts they held. For all others the session is logged
// out and the account checked in, so that no crash holds a lease forever.
//
// A task is active only if both the store and the record say so: the end of a task
// may have reached only one of them, and the store may be an old copy.
// docs/decisions/task-ends.md has the reasons.
func (s *Server) resumeTasks() error {
	stored, err := s.state.Tasks()
	if err != nil {
		return fmt.Errorf("stored tasks: %w", err)
	}
	living := s.log.LivingTasks()
	for i := range stored {
		st := stored[i]
		stored[i] = state.Task{} // its document is not needed any more
		it, err := s.identities.Restore(st.Doc)
		if err != nil {
			s.opt.Log.Warn().Str("task", st.ID).Err(err).Msg("stored task dropped")
			_ = s.state.DropTask(st.ID)
			continue
		}
		t := &task{Task: it}
		s.tasks.Store(it.ID(), t)
		s.reconcileEnd(t, living[it.ID()])
		delete(living, it.ID())
		s.resumeLifeline(t)
	}
	s.endUnknownTasks(living)

	leases, err := s.state.Leases()
	if err != nil {
		return fmt.Errorf("stored leases: %w", err)
	}
	if err := s.endAttackers(leases); err != nil {
		return fmt.Errorf("stored quarantines: %w", err)
	}
	for _, l := range leases {
		s.resumeLease(l)
	}
	return nil
}

// reconcileEnd makes the store and the record agree about whether the restored task
// has ended. onRecord says that the task lives as far as the record knows.
func (s *Server) reconcileEnd(t *task, onRecord bool) {
	_, _, over := t.Ended()
	switch {
	case over && !onRecord:
		t.end.markComplete()

	case over: // the record of its end was refused, or cut by a crash
		s.background.Go(func() { _ = s.makeEndDurable(t) })

	case !onRecord:
		s.opt.Log.Warn().Str("task", t.ID()).Msg("the state store has the task as active, and the record has its end: " +
			"an old copy of the state store was restored, or its last writes were lost; the task stays ended")
		s.identities.End(t.ID(), "its end is on record")
		t.end.markRecorded()
		s.background.Go(func() { _ = s.makeEndDurable(t) })
	}
}

// endUnknownTasks puts the end of tasks on record of which the state store knows
// nothing: it is an older copy, or it was removed.
func (s *Server) endUnknownTasks(living map[string]bool) {
	for id := range living {
		s.opt.Log.Warn().Str("task", id).Msg("the record has a task that the state store does not know; the task is over")
		r := s.taskRecord("task", nil)
		r.Task = id
		r.Code, r.Detail = audit.CodeEnded, "ended: the state store does not know it"
		s.log.Append(r)
	}
}

// resumeLease checks the account out again for the task that held it. If that task
// is over, the account is checked out only to end what the task left.
func (s *Server) resumeLease(l state.Lease) {
	warn := func(err error, message string) {
		s.opt.Log.Warn().Str("adapter", l.Adapter).Str("account", l.Account).Err(err).Msg(message)
	}

	t := s.task(l.Task)
	if t == nil {
		t = &task{Task: identity.Orphan(l.Task)}
	}
	r := s.rules.Load()
	a := r.adapters.ByName(l.Adapter)
	if a == nil {
		warn(nil, "the adapter of a stored lease is gone; the lease is left to lapse")
		return
	}

	stored, session, err := s.openStoredSession(a, l.Account)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		warn(err, "stored session cannot be read; it is left to lapse at the application")
	}
	if stored.Home == "" {
		stored.Home, stored.Scheme = a.Hosts()[0], "https"
	}

	home, err := r.targetOf(a, canonicalAuthority(stored.Home, "https"))
	if err == nil {
		err = s.adoptLease(t, l, newHold(&site{rules: r, adapter: a, home: home, scheme: stored.Scheme}), session)
	}
	if err != nil {
		warn(err, "stored lease not resumed")
	}
}

// adoptLease gives a lease from the store its connections, and releases it if its
// task is over.
func (s *Server) adoptLease(t *task, stored state.Lease, h *hold, session *adapters.Session) error {
	l, err := s.leases.Checkout(context.Background(), stored.Task, stored.Adapter, []string{stored.Account})
	if err != nil {
		return err
	}
	h.lease, h.pool = l, s.newPool()
	t.holds.Store(stored.Adapter, h)
	if t.Active() == nil {
		return nil
	}

	h.last.Store(session)
	s.background.Go(func() {
		for _, l := range s.leases.CheckIn(stored.Task) {
			s.retryUntilRecorded(func(ctx context.Context) error { return s.releaseLease(ctx, t, l, h) })
		}
		t.forgetUse()
	})
	return nil
}
