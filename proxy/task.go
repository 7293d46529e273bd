package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/state"
)

// endedTaskTTL is how long a task stays listed after its end, so that an
// operator who asks what it did finds it by its id.
const endedTaskTTL = 24 * time.Hour

// ErrNoTask reports that no task has the given id.
var ErrNoTask = errors.New("no such task")

// task is an identity's task with what the server keeps for it.
type task struct {
	*identity.Task
	holds sync.Map   // adapter name → *hold; read for every request
	mu    sync.Mutex // held to change holds

	lifeline lifeline
	end      taskEnd
	budget   taskBudget   // guarded by the server's budget
	spooled  atomic.Int64 // bytes that the task keeps in spools

	grant   atomic.Pointer[compiledGrant]
	tunnels atomic.Int64 // open tunnels of every kind

	attacked atomic.Bool // a request of it held a secret of its account; it is about to end

	alerts    atomic.Int64 // sightings of borrowed sessions that were recorded
	sightings sightings
	attempts  attempts // of an isolated program to go around
}

var errAttacked = errors.New("the task is over, because a request of it held a secret of its account")

// maySend returns why the task sends no more requests and messages, or nil. A task that
// an attack ends is active until its agent has the refusal.
func (t *task) maySend() error {
	if err := t.Active(); err != nil {
		return err
	}
	if t.attacked.Load() {
		return errAttacked
	}
	return nil
}

// compiledGrant is a task's scope compiled against one set of rules.
type compiledGrant struct {
	rules *rules
	grant *policy.Grant
}

// grant returns the task's scope under the exchange's rules. It is compiled once
// after each reload.
func (x *exchange) grant() *policy.Grant { return x.rules.compiledGrant(x.tunnel.task) }

// compiledGrant returns the grant of a task under these rules.
func (r *rules) compiledGrant(t *task) *policy.Grant {
	if g := t.grant.Load(); g != nil && g.rules == r {
		return g.grant
	}

	g := &compiledGrant{rules: r, grant: r.compileGrant(t.Task)}
	t.grant.Store(g)
	return g.grant
}

// task returns the task of that id, or nil.
func (s *Server) task(id string) *task {
	t, ok := s.tasks.Load(id)
	if !ok {
		return nil
	}
	return t.(*task)
}

// CreateTask makes a task that can be used as soon as CreateTask returns, and
// that survives a restart. The token is returned here and never again. Every
// problem of spec is in the error.
func (s *Server) CreateTask(ctx context.Context, spec identity.Spec) (*identity.Task, identity.Token, error) {
	limits := s.opt.Identity
	limits.SetDefaults()
	problems := append(spec.Check(limits), s.rules.Load().checkScope(spec)...)
	if len(problems) > 0 {
		return nil, identity.Token{}, errors.Join(problems...)
	}

	it, token, err := s.identities.Create(spec, time.Now())
	if err != nil {
		return nil, identity.Token{}, err
	}
	t := &task{Task: it}
	if err := s.state.PutTask(state.Task{ID: it.ID(), Doc: it.Doc(), Expires: it.Expires()}); err != nil {
		s.dropTask(t, "it could not be stored")
		return nil, identity.Token{}, fmt.Errorf("store the task: %w", err)
	}

	r := s.taskRecord("task", t)
	r.Purpose, r.Scope = it.Principal().Purpose, scopeLines(it.Scope())
	r.Detail = "created until " + it.Expires().UTC().Format(time.RFC3339)
	if bound := it.Binding().String(); bound != "" {
		r.Detail += ", bound to " + bound
	}
	if err := s.appendDurably(ctx, r); err != nil {
		s.dropTask(t, "it could not be recorded")
		return nil, identity.Token{}, fmt.Errorf("record the task: %w", err)
	}

	s.tasks.Store(it.ID(), t)
	return it, token, nil
}

// dropTask forgets a task that nobody was told about. The state store may have it
// all the same, after a write that failed; the next start ends a task that is not on
// record.
func (s *Server) dropTask(t *task, why string) {
	s.identities.End(t.ID(), why)
	s.identities.Forget(t.Task)
	_ = s.state.DropTask(t.ID())
}

// scopeLines writes a scope for the record.
func scopeLines(scope []identity.ScopeEntry) (lines []string) {
	for _, e := range scope {
		lines = append(lines, policy.ScopeEntry(e).Lines()...)
	}
	return lines
}

// EndTask ends a task. Its exchanges, streams and tunnels are cut before EndTask
// returns. Its sessions are logged out and its accounts checked in, for which
// EndTask waits up to endWait; what takes longer goes on in the background, and
// the account stays leased until then.
//
// EndTask returns ErrNoTask for an unknown id, and ErrEndNotStored if the task is
// over but neither the state store nor the log has its end. Storing it is tried
// again until it succeeds; EndTask for a task that has ended says whether it has.
func (s *Server) EndTask(id, why string) (*identity.Task, error) {
	t := s.task(id)
	if t == nil {
		return nil, ErrNoTask
	}

	it, now := s.identities.End(id, why)
	if !now {
		return it, s.makeEndDurable(t)
	}
	return it, s.finishTask(t)
}

// endWait bounds how long the end of a task waits for logouts: an application
// that does not answer holds up its own account and nobody else.
const endWait = 2 * time.Second

// finishTask stores and records the end of a task and returns all that it held.
// The task's context is cancelled by now, so no request of it is in flight. The
// error is that of makeEndDurable.
func (s *Server) finishTask(t *task) error {
	t.lifeline.stop()
	s.recordFurtherAttempts(t)
	err := s.makeEndDurable(t)

	leases := s.leases.CheckIn(t.ID())
	holds := t.closeHolds()
	released := make(chan struct{})
	s.background.Go(func() {
		defer close(released)
		var wait sync.WaitGroup
		for _, l := range leases {
			wait.Go(func() {
				s.retryUntilRecorded(func(ctx context.Context) error { return s.releaseLease(ctx, t, l, holds[l]) })
			})
		}
		wait.Wait()
		t.forgetUse()
	})

	timer := time.NewTimer(endWait)
	defer timer.Stop()
	select {
	case <-released:
	case <-timer.C:
		s.opt.Log.Warn().Str("task", t.ID()).Msg("a logout takes long; it goes on in the background and its account stays leased")
	}
	return err
}

// forgetUse drops what only a living task needs: an ended one is listed for a day, and
// keeps no more than that takes. Work in the background that still needs a hold has
// its own reference.
func (t *task) forgetUse() {
	t.mu.Lock()
	t.holds.Clear()
	t.mu.Unlock()

	t.grant.Store(nil)
	t.sightings.forget()
}

// closeHolds closes the connections of every hold of the task and returns the
// holds by their leases.
func (t *task) closeHolds() map[*lease.Lease[*adapters.Session]]*hold {
	t.mu.Lock()
	defer t.mu.Unlock()

	holds := map[*lease.Lease[*adapters.Session]]*hold{}
	t.holds.Range(func(_, v any) bool {
		h := v.(*hold)
		h.closePool()
		holds[h.lease] = h
		return true
	})
	return holds
}

// releaseLease logs the session out at the application and frees the account. A
// login in flight finishes first, and its session is logged out as well. An
// account whose logout failed is freed too: the agent never had the session. If
// the logout cannot be recorded the account stays leased, and the error is
// journal.ErrNotRecorded.
func (s *Server) releaseLease(ctx context.Context, t *task, l *lease.Lease[*adapters.Session], h *hold) error {
	if h != nil {
		_ = l.WaitForLogin(ctx) // bounded by loginTimeout

		at := h.siteUnder(s.rules.Load())
		session := h.last.Load()
		if session == nil { // the task has sent nothing since a restart
			session = s.restoreSession(t, h, at)
		}
		if session != nil {
			if err := s.endSession(ctx, t, h, at, session); errors.Is(err, journal.ErrNotRecorded) {
				return err
			}
		}
		if changed := h.takeDoubt(); changed != nil {
			s.discard(t, h, at, changed, "nobody knows whose it is")
		}
		h.endings.wait(ctx)

		_ = s.state.DropSession(l.Adapter(), l.Account(), l.Fence())
		r := s.leaseRecord("lease", t, h, at)
		r.Detail = "checked in"
		s.log.Append(r)
	}

	if err := l.Release(); err != nil {
		s.opt.Log.Warn().Str("lease", l.ID()).Err(err).Msg("lease not released")
	}
	return nil
}
