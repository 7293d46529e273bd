package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/state"
)

// Ended tasks stay listed for this long, so that an operator who asks what a
// task did finds it by its id.
const endedKept = 24 * time.Hour

// task is an identity's task with what the corridor keeps for it: the scope
// narrowed against the rules of the day, and its holds.
type task struct {
	*identity.Task
	holds   sync.Map // adapter name → *hold; read per request
	mu      sync.Mutex
	narrow  atomic.Pointer[compiledGrant]
	alerts  atomic.Int64 // sightings put on record
	tunnels atomic.Int64 // open, of every kind

	sightings sightings
}

// compiledGrant is a scope compiled against one set of rules.
type compiledGrant struct {
	rules *rules
	grant *policy.Grant
}

// grant is the task's scope against the exchange's rules, compiled once for
// each reload.
func (x *exchange) grant() *policy.Grant {
	t := x.tunnel.task
	if n := t.narrow.Load(); n != nil && n.rules == x.rules {
		return n.grant
	}
	n := &compiledGrant{rules: x.rules, grant: x.rules.compileGrant(t.Task)}
	t.narrow.Store(n)
	return n.grant
}

func (s *Server) task(id string) *task {
	if t, ok := s.tasks.Load(id); ok {
		return t.(*task)
	}
	return nil
}

// CreateTask makes a task that can be used as soon as it returns, and that
// survives a restart. The token is shown this once.
func (s *Server) CreateTask(ctx context.Context, spec identity.Spec) (*identity.Task, identity.Token, error) {
	limits := s.opt.Identity
	limits.SetDefaults()
	if problems := append(spec.Check(limits), s.rules.Load().checkScope(spec)...); len(problems) > 0 {
		return nil, identity.Token{}, errors.Join(problems...)
	}
	it, token, err := s.identities.Create(spec, time.Now())
	if err != nil {
		return nil, identity.Token{}, err
	}
	t := &task{Task: it}
	if err := s.state.PutTask(state.Task{ID: it.ID(), Doc: it.Doc(), Expires: it.Expires()}); err != nil {
		s.identities.End(it.ID(), "it could not be stored")
		return nil, identity.Token{}, fmt.Errorf("store the task: %w", err)
	}
	r := s.taskRecord("task", t)
	r.Purpose, r.Scope = it.Principal().Purpose, scopeLines(it.Scope())
	r.Detail = "created until " + it.Expires().UTC().Format(time.RFC3339)
	if err := s.appendDurably(ctx, r); err != nil {
		s.identities.End(it.ID(), "it could not be recorded")
		_ = s.state.DropTask(it.ID())
		return nil, identity.Token{}, fmt.Errorf("record the task: %w", err)
	}
	s.tasks.Store(it.ID(), t)
	return it, token, nil
}

// scopeLines is a scope as byline run --allow spells it, for the record.
func scopeLines(scope []identity.ScopeEntry) (lines []string) {
	for _, e := range scope {
		actions := e.Adapter + ":" + strings.Join(e.Actions, ",")
		if len(e.Resources) == 0 {
			lines = append(lines, actions)
		}
		for _, r := range e.Resources {
			lines = append(lines, actions+"@"+r)
		}
	}
	return lines
}

// EndTask ends a task: its exchanges, streams and tunnels are cut before this
// returns, its sessions are logged out and its accounts checked in. Ending a
// task that has ended is no error.
func (s *Server) EndTask(id, why string) (*identity.Task, error) {
	t := s.task(id)
	if t == nil {
		return nil, ErrNoTask
	}
	if it, now := s.identities.End(id, why); !now {
		return it, nil
	}
	s.finishTask(t, why)
	return t.Task, nil
}

// ErrNoTask says that no task has that id.
var ErrNoTask = errors.New("no such task")

// finishTask gives back all that a task held. Its context is already cancelled, so
// nothing of it moves any more.
func (s *Server) finishTask(t *task, why string) {
	_ = s.state.PutTask(state.Task{ID: t.ID(), Doc: t.Doc(), Expires: t.Expires().Add(endedKept)})
	r := s.taskRecord("task", t)
	r.Code, r.Detail = "ended", "ended: "+why
	s.retryUntilRecorded(func(ctx context.Context) error { return s.appendDurably(ctx, r) })
	leases := s.desk.CheckIn(t.ID())
	t.mu.Lock()
	holds := map[*lease.Lease[*adapters.Session]]*hold{}
	t.holds.Range(func(_, h any) bool {
		h.(*hold).pool.Close()
		holds[h.(*hold).lease] = h.(*hold)
		return true
	})
	t.mu.Unlock()
	var wait sync.WaitGroup
	for _, l := range leases {
		wait.Go(func() {
			s.retryUntilRecorded(func(ctx context.Context) error { return s.releaseLease(ctx, t, l, holds[l]) })
		})
	}
	wait.Wait()
}

// releaseLease logs the session out at the SaaS and frees the account. An account
// whose logout failed is freed too: the session was never the agent's to use.
// One whose logout cannot be put on record stays taken, and the error says so.
func (c *Server) releaseLease(ctx context.Context, t *task, l *lease.Lease[*adapters.Session], h *hold) error {
	if h != nil {
		p := h.siteUnder(c.rules.Load())
		s := h.last.Load()
		if s == nil { // the task sent nothing since a restart
			s = c.restoreSession(t, h, p)
		}
		if s != nil {
			if err := c.logOut(ctx, t, h, p, s); errors.Is(err, audit.ErrNotRecorded) {
				return err
			}
		}
		_ = c.state.DropSession(l.Adapter(), l.Account(), l.Fence())
		r := c.leaseRecord("lease", t, h, p)
		r.Detail = "checked in"
		c.log.Append(r)
	}
	if err := l.Release(); err != nil {
		c.opt.Log.Warn().Str("lease", l.ID()).Err(err).Msg("lease not released")
	}
	return nil
}
