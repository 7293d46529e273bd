package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/internal/names"
	"github.com/byline-proxy/byline/proxy/state"
)

// Control returns the handler of the control API over this server.
func (s *Server) Control(cfg admin.Config) http.Handler {
	return admin.New(cfg, admin.Verbs{
		CreateTask:        s.controlCreateTask,
		Tasks:             s.controlTasks,
		Task:              s.controlTask,
		EndTask:           s.controlEndTask,
		FinishTask:        s.controlFinishTask,
		EndTaskForSponsor: s.controlEndTaskForSponsor,
		HoldTask:          s.controlHoldTask,
		Resolve:           s.controlResolve,
		RecordAttempts:    s.controlRecordAttempts,
		Leases:            s.controlLeases,
		Accounts:          s.controlAccounts,
		RetryAccount:      s.controlRetryAccount,
		Explain:           s.controlExplain,
		SignReview:        s.controlSignReview,
		AcceptRollback:    s.controlAcceptRollback,
		RecordArchived:    s.controlRecordArchived,
		Ready:             s.Ready,
		Metrics:           s.Metrics(),
	})
}

func (s *Server) controlCreateTask(ctx context.Context, spec admin.TaskSpec) (admin.Task, error) {
	bind, err := bindingOf(spec.Bind)
	if err != nil {
		return admin.Task{}, s.problem(err, "bad_task", "correct what is named and send the task again")
	}
	t, token, err := s.CreateTask(ctx, identity.Spec{Agent: spec.Agent, Sponsor: spec.Sponsor, Purpose: spec.Purpose,
		TTL: spec.TTL, Scope: scopeEntries(spec.Scope), Bind: bind})
	if err != nil {
		return admin.Task{}, s.problem(err, "bad_task", "correct what is named and send the task again")
	}

	v := viewOf(t)
	v.Token = token.Reveal()
	return v, nil
}

func (s *Server) controlTasks(_ context.Context, q admin.TaskQuery) (admin.TaskPage, error) {
	list := identity.ListQuery{Limit: q.Limit, After: q.After}
	if q.State != "" {
		list.Include = func(t *identity.Task) bool { return stateOf(t) == q.State }
	}
	tasks, next, err := s.identities.List(list)
	if err != nil {
		return admin.TaskPage{}, &admin.Problem{Status: http.StatusBadRequest, Code: "bad_query", Detail: err.Error(), Remedy: "follow the Link of the page before"}
	}

	views := func(yield func(admin.Task) bool) {
		for _, t := range tasks {
			if !yield(viewOf(t)) {
				return
			}
		}
	}
	return admin.TaskPage{Tasks: views, Next: next}, nil
}

func (s *Server) controlTask(_ context.Context, id string) (admin.Task, error) {
	t := s.task(id)
	if t == nil {
		return admin.Task{}, noTask(id)
	}
	v := viewOf(t.Task)
	t.holds.Range(func(_, h any) bool {
		l := h.(*hold).lease
		if t.Active() == nil && l.Valid() {
			v.Accounts = append(v.Accounts, accountView(l.Adapter(), l.Account(), t.ID(), l.LoginRefused()))
		}
		return true
	})
	return v, nil
}

func (s *Server) controlEndTask(_ context.Context, id string) (admin.Task, error) {
	return s.endTaskFor(id, "ended by the operator")
}

func (s *Server) controlFinishTask(_ context.Context, id string) (admin.Task, error) {
	return s.endTaskFor(id, "its program ended")
}

// controlEndTaskForSponsor names the sponsor of the task. Who may ask is an operator, so
// that the sponsor asked for it is what the operator states.
func (s *Server) controlEndTaskForSponsor(_ context.Context, id string) (admin.Task, error) {
	t := s.task(id)
	if t == nil {
		return admin.Task{}, noTask(id)
	}
	return s.endTaskFor(id, "ended by the sponsor "+t.Principal().Sponsor+", as the operator states")
}

func (s *Server) endTaskFor(id, why string) (admin.Task, error) {
	t, err := s.EndTask(id, why)
	if errors.Is(err, ErrNoTask) {
		return admin.Task{}, noTask(id)
	}
	if err != nil {
		return admin.Task{}, &admin.Problem{
			Status: http.StatusServiceUnavailable,
			Code:   codeNotStored,
			Detail: "the task is over and cut, but " + err.Error(),
			Remedy: "it is tried again every second; ask again, and do not restart the server before the answer is 200; see /readyz",
		}
	}
	return viewOf(t), nil
}

// codeNotStored is the code of a control request that failed because the state store
// cannot be written.
const codeNotStored = "not_stored"

func (s *Server) controlHoldTask(_ context.Context, id string) (admin.Lifeline, error) {
	l, err := s.HoldTask(id)
	switch {
	case errors.Is(err, ErrNoTask):
		return nil, noTask(id)
	case errors.Is(err, identity.ErrEnded):
		return nil, &admin.Problem{Status: http.StatusConflict, Code: string(TaskEnded), Detail: err.Error(), Remedy: "create a new task"}
	case err != nil:
		return nil, s.problem(err, "bad_task", "byline task show shows the task")
	}
	return l, nil
}

func (s *Server) controlLeases(context.Context) ([]admin.Lease, error) {
	views := []admin.Lease{}
	for _, l := range s.leases.Leases() {
		views = append(views, admin.Lease{ID: l.ID(), Adapter: l.Adapter(), Account: l.Account(), Task: l.Task(), Fence: l.Fence()})
	}
	return views, nil
}

func (s *Server) controlExplain(ctx context.Context, q admin.Question) (admin.Explanation, error) {
	e, err := s.Explain(ctx, q)
	if errors.Is(err, ErrNoTask) {
		return e, noTask(q.Task)
	}
	if err != nil {
		return e, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_question", Detail: err.Error(), Remedy: "correct what is named and ask again"}
	}
	return e, nil
}

func (s *Server) controlSignReview(ctx context.Context, off admin.SignOff) (admin.Signed, error) {
	signed, err := s.SignReview(ctx, off)
	if err != nil {
		return admin.Signed{}, s.problem(err, "bad_review", "byline review --sign-off sends it in the right form")
	}
	return signed, nil
}

// SignReview records a sponsor's sign-off of a review. It returns once the record
// is durable.
func (s *Server) SignReview(ctx context.Context, off admin.SignOff) (admin.Signed, error) {
	switch {
	case strings.TrimSpace(off.Sponsor) == "" || len(off.Sponsor) > 256:
		return admin.Signed{}, errors.New("sponsor: must name who signs off")
	case names.Unreadable(off.Sponsor) != "":
		return admin.Signed{}, fmt.Errorf("sponsor: %s", names.Unreadable(off.Sponsor))
	case !strings.HasPrefix(off.Digest, "sha256:") || len(off.Digest) != len("sha256:")+64:
		return admin.Signed{}, errors.New("digest: must be sha256: and 64 hexadecimal digits")
	case off.To.Before(off.From) || off.To.IsZero():
		return admin.Signed{}, errors.New("to: must not lie before from")
	case len(off.Note) > 4096:
		return admin.Signed{}, errors.New("note: is longer than 4096 bytes")
	}

	r := &audit.Record{Kind: "review", Sponsor: off.Sponsor}
	r.Detail = fmt.Sprintf("signed off the review of %s to %s, %s",
		off.From.UTC().Format(time.RFC3339), off.To.UTC().Format(time.RFC3339), off.Digest)
	if off.Note != "" {
		r.Detail += ": " + off.Note
	}
	ticket := s.log.Append(r)
	return admin.Signed{Record: ticket.ID()}, ticket.Wait(ctx)
}

// problem returns the answer to a request that failed: 503 if the log did not take a
// record or the state store cannot be written, otherwise 422 with the given code and
// remedy.
func (s *Server) problem(err error, code, remedy string) *admin.Problem {
	switch {
	case errors.Is(err, journal.ErrNotRecorded):
		return &admin.Problem{Status: http.StatusServiceUnavailable, Code: string(NotRecorded), Detail: err.Error(), Remedy: "see /readyz"}
	case errors.Is(err, state.ErrUnavailable):
		return &admin.Problem{Status: http.StatusServiceUnavailable, Code: codeNotStored, Detail: err.Error(), Remedy: "make room or repair the disk of state.db; the server recovers automatically; see /readyz"}
	}
	return &admin.Problem{Status: http.StatusUnprocessableEntity, Code: code, Detail: err.Error(), Remedy: remedy}
}

func noTask(id string) error {
	return &admin.Problem{Status: http.StatusNotFound, Code: "no_such_task", Detail: fmt.Sprintf("no task has the id %q", id), Remedy: "byline task list shows the ids"}
}

// viewOf returns a task as the control API shows it, without its token.
func viewOf(t *identity.Task) admin.Task {
	p := t.Principal()
	v := admin.Task{ID: p.Task, Agent: p.Agent, Sponsor: p.Sponsor, Purpose: p.Purpose, Grant: p.Grant,
		Bound: t.Binding().String(), Created: t.Created(), Expires: t.Expires(), State: stateOf(t)}
	for _, e := range t.Scope() {
		v.Scope = append(v.Scope, admin.ScopeEntry(e))
	}

	if at, why, over := t.Ended(); over {
		v.Ended, v.Why = &at, why
	}
	return v
}

// stateOf returns the state of a task as the control API shows it.
func stateOf(t *identity.Task) string {
	if t.Active() != nil {
		return admin.StateEnded
	}
	return admin.StateActive
}

// bindingOf converts a binding of the control API to one of identity. Nil names nothing.
func bindingOf(b *admin.Binding) (identity.Binding, error) {
	if b == nil {
		return identity.Binding{}, nil
	}

	bind := identity.Binding{UID: b.UID}
	for _, text := range b.Subnets {
		subnet, err := netip.ParsePrefix(text)
		if err != nil {
			return bind, fmt.Errorf("bind.subnets: %q is not a CIDR prefix; write it like 10.1.2.3/32", text)
		}
		bind.Subnets = append(bind.Subnets, subnet)
	}
	return bind, nil
}

// scopeEntries converts a scope of the control API to one of identity.
func scopeEntries(scope []admin.ScopeEntry) []identity.ScopeEntry {
	entries := make([]identity.ScopeEntry, 0, len(scope))
	for _, e := range scope {
		entries = append(entries, identity.ScopeEntry(e))
	}
	return entries
}
