package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/identity"
)

// viewOf is a task as the control API shows it, without its token.
func viewOf(t *identity.Task) admin.Task {
	p := t.Principal()
	v := admin.Task{ID: p.Task, Agent: p.Agent, Sponsor: p.Sponsor, Purpose: p.Purpose, Grant: p.Grant,
		Created: t.Created(), Expires: t.Expires(), State: admin.StateActive}
	for _, e := range t.Scope() {
		v.Scope = append(v.Scope, admin.ScopeEntry(e))
	}
	if at, why, over := t.Ended(); over {
		v.State, v.Ended, v.Why = admin.StateEnded, &at, why
	} else if t.Active() != nil {
		v.State = admin.StateEnded
	}
	return v
}

// scopeEntries is a scope of the control API as identity knows it.
func scopeEntries(scope []admin.ScopeEntry) []identity.ScopeEntry {
	entries := make([]identity.ScopeEntry, 0, len(scope))
	for _, e := range scope {
		entries = append(entries, identity.ScopeEntry(e))
	}
	return entries
}

// Control is the control API over this corridor.
func (s *Server) Control(cfg admin.Config) http.Handler {
	return admin.New(cfg, admin.Verbs{
		CreateTask: s.controlCreate,
		Tasks: func(context.Context) ([]admin.Task, error) {
			views := []admin.Task{} // never nil: an empty list is []
			for _, t := range s.identities.List() {
				views = append(views, viewOf(t))
			}
			return views, nil
		},
		Task: func(_ context.Context, id string) (admin.Task, error) {
			t := s.task(id)
			if t == nil {
				return admin.Task{}, noTask(id)
			}
			return viewOf(t.Task), nil
		},
		EndTask: func(_ context.Context, id string) (admin.Task, error) {
			t, err := s.EndTask(id, "ended by the operator")
			if errors.Is(err, ErrNoTask) {
				return admin.Task{}, noTask(id)
			}
			if err != nil {
				return admin.Task{}, err
			}
			return viewOf(t), nil
		},
		Leases: func(context.Context) ([]admin.Lease, error) {
			views := []admin.Lease{}
			for _, l := range s.desk.Leases() {
				views = append(views, admin.Lease{ID: l.ID(), Adapter: l.Adapter(), Account: l.Account(), Task: l.Task(), Fence: l.Fence()})
			}
			return views, nil
		},
		Explain:    s.controlExplain,
		SignReview: s.controlSignReview,
		Ready:      s.Ready,
		Metrics:    s.Metrics(),
	})
}

func (s *Server) controlCreate(ctx context.Context, spec admin.TaskSpec) (admin.Task, error) {
	t, token, err := s.CreateTask(ctx, identity.Spec{Agent: spec.Agent, Sponsor: spec.Sponsor, Purpose: spec.Purpose,
		TTL: spec.TTL, Scope: scopeEntries(spec.Scope)})
	if err != nil {
		if s.Ready() != nil {
			return admin.Task{}, &admin.Problem{Status: http.StatusServiceUnavailable, Code: string(NotRecorded), Detail: err.Error(), Remedy: "see /readyz"}
		}
		return admin.Task{}, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_task", Detail: err.Error(), Remedy: "mend what is named and send the task again"}
	}
	v := viewOf(t)
	v.Token = token.Reveal()
	return v, nil
}

func (s *Server) controlExplain(ctx context.Context, q admin.Question) (admin.Explanation, error) {
	e, err := s.Explain(ctx, q)
	if errors.Is(err, ErrNoTask) {
		return e, noTask(q.Task)
	}
	if err != nil {
		return e, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_question", Detail: err.Error()}
	}
	return e, nil
}

func noTask(id string) error {
	return &admin.Problem{Status: http.StatusNotFound, Code: "no_such_task", Detail: fmt.Sprintf("no task has the id %q", id), Remedy: "byline task list shows the ids"}
}

// SignReview returns once the sign-off is durable.
func (c *Server) SignReview(ctx context.Context, s admin.SignOff) (admin.Signed, error) {
	switch {
	case strings.TrimSpace(s.Sponsor) == "" || len(s.Sponsor) > 256:
		return admin.Signed{}, errors.New("sponsor: must name who signs off")
	case !strings.HasPrefix(s.Digest, "sha256:") || len(s.Digest) != len("sha256:")+64:
		return admin.Signed{}, errors.New("digest: must be sha256: and 64 hexadecimal digits")
	case s.To.Before(s.From) || s.To.IsZero():
		return admin.Signed{}, errors.New("to: must not lie before from")
	case len(s.Note) > 4096:
		return admin.Signed{}, errors.New("note: is longer than 4096 bytes")
	}
	r := &audit.Record{Kind: "review", Sponsor: s.Sponsor, Detail: "signed off the review of " + s.From.UTC().Format(time.RFC3339) +
		" to " + s.To.UTC().Format(time.RFC3339) + ", " + s.Digest}
	if s.Note != "" {
		r.Detail += ": " + s.Note
	}
	ticket := c.log.Append(r)
	return admin.Signed{Record: ticket.ID()}, ticket.Wait(ctx)
}

func (c *Server) controlSignReview(ctx context.Context, s admin.SignOff) (admin.Signed, error) {
	signed, err := c.SignReview(ctx, s)
	if err != nil {
		if c.Ready() != nil {
			return admin.Signed{}, &admin.Problem{Status: http.StatusServiceUnavailable, Code: string(NotRecorded), Detail: err.Error(), Remedy: "see /readyz"}
		}
		return admin.Signed{}, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_review", Detail: err.Error(), Remedy: "byline review --sign-off sends it in the right form"}
	}
	return signed, nil
}
