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
	"github.com/byline-proxy/byline/proxy/wire"
)

// TaskView is a task as the control API shows it.
type TaskView struct {
	ID      string                `json:"id"`
	Token   string                `json:"token,omitempty"` // in the answer to its creation alone
	Agent   string                `json:"agent"`
	Sponsor string                `json:"sponsor"`
	Purpose string                `json:"purpose"`
	Grant   string                `json:"grant"`
	Scope   []identity.ScopeEntry `json:"scope"`
	Created time.Time             `json:"created"`
	Expires time.Time             `json:"expires"`
	State   string                `json:"state"` // active, ended
	Ended   *time.Time            `json:"ended,omitempty"`
	Why     string                `json:"why,omitempty"`
}

func viewOf(t *identity.Task) TaskView {
	p := t.Principal()
	v := TaskView{ID: p.Task, Agent: p.Agent, Sponsor: p.Sponsor, Purpose: p.Purpose, Grant: p.Grant,
		Scope: t.Scope(), Created: t.Created(), Expires: t.Expires(), State: "active"}
	if at, why, over := t.Ended(); over {
		v.State, v.Ended, v.Why = "ended", &at, why
	} else if t.Active() != nil {
		v.State = "ended"
	}
	return v
}

// LeaseView is a held account as the control API shows it.
type LeaseView struct {
	ID      string `json:"id"`
	Adapter string `json:"adapter"`
	Account string `json:"account"`
	Task    string `json:"task"`
	Fence   uint64 `json:"fence"`
}

// Control is the control API over this corridor.
func (c *Server) Control(cfg admin.Config) http.Handler {
	return admin.New(cfg, admin.Verbs{
		CreateTask: c.controlCreate,
		Tasks: func(context.Context) (any, error) {
			views := []TaskView{}
			for _, t := range c.identities.List() {
				views = append(views, viewOf(t))
			}
			return views, nil
		},
		Task: func(_ context.Context, id string) (any, error) {
			t := c.task(id)
			if t == nil {
				return nil, noTask(id)
			}
			return viewOf(t.Task), nil
		},
		EndTask: func(_ context.Context, id string) (any, error) {
			t, err := c.EndTask(id, "ended by the operator")
			if errors.Is(err, ErrNoTask) {
				return nil, noTask(id)
			}
			if err != nil {
				return nil, err
			}
			return viewOf(t), nil
		},
		Leases: func(context.Context) (any, error) {
			views := []LeaseView{}
			for _, l := range c.desk.Leases() {
				views = append(views, LeaseView{l.ID(), l.Adapter(), l.Account(), l.Task(), l.Fence()})
			}
			return views, nil
		},
		Explain:    c.controlExplain,
		SignReview: c.controlSignReview,
		Ready:      c.Ready,
		Metrics:    c.Metrics(),
	})
}

func (c *Server) controlCreate(ctx context.Context, body []byte) (any, error) {
	var spec identity.Spec
	if err := strictJSON(body, &spec); err != nil {
		return nil, err
	}
	t, token, err := c.CreateTask(ctx, spec)
	if err != nil {
		if c.Ready() != nil {
			return nil, &admin.Problem{Status: http.StatusServiceUnavailable, Code: string(NotRecorded), Detail: err.Error(), Remedy: "see /readyz"}
		}
		return nil, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_task", Detail: err.Error(), Remedy: "mend what is named and send the task again"}
	}
	v := viewOf(t)
	v.Token = token.Reveal()
	return v, nil
}

// controlQuestion is the body of POST /v1/explain.
type controlQuestion struct {
	Task    string                `json:"task"`
	Agent   string                `json:"agent"`
	Scope   []identity.ScopeEntry `json:"scope"`
	Method  string                `json:"method"`
	Scheme  string                `json:"scheme"`
	Host    string                `json:"host"`
	Target  string                `json:"target"`
	Headers [][2]string           `json:"headers"`
	Body    string                `json:"body"`
}

func (c *Server) controlExplain(ctx context.Context, body []byte) (any, error) {
	var q controlQuestion
	if err := strictJSON(body, &q); err != nil {
		return nil, err
	}
	fields := make([]wire.Field, 0, len(q.Headers))
	for _, h := range q.Headers {
		fields = append(fields, wire.Field{Name: h[0], Value: h[1]})
	}
	e, err := c.Explain(ctx, Question{Task: q.Task, Agent: q.Agent, Scope: q.Scope, Method: q.Method,
		Scheme: q.Scheme, Host: q.Host, Target: q.Target, Fields: fields, Body: []byte(q.Body)})
	if errors.Is(err, ErrNoTask) {
		return nil, noTask(q.Task)
	}
	if err != nil {
		return nil, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_question", Detail: err.Error()}
	}
	return e, nil
}

func noTask(id string) error {
	return &admin.Problem{Status: http.StatusNotFound, Code: "no_such_task", Detail: fmt.Sprintf("no task has the id %q", id), Remedy: "byline task list shows the ids"}
}

func strictJSON(body []byte, into any) error {
	var p *admin.Problem
	err := admin.Decode(body, into)
	if errors.As(err, &p) {
		p.Remedy = "byline task create --help shows the form"
	}
	return err
}

// SignOff is a sponsor's word, put on record, that a least-privilege review was
// read: the body of POST /v1/reviews.
type SignOff struct {
	Sponsor string    `json:"sponsor"` // who signs off
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Digest  string    `json:"digest"` // sha256: of the review's JSON
	Note    string    `json:"note,omitempty"`
}

// Signed is the record that holds a sign-off.
type Signed struct {
	Record string `json:"record"`
}

// SignReview returns once the sign-off is durable.
func (c *Server) SignReview(ctx context.Context, s SignOff) (Signed, error) {
	switch {
	case strings.TrimSpace(s.Sponsor) == "" || len(s.Sponsor) > 256:
		return Signed{}, errors.New("sponsor: must name who signs off")
	case !strings.HasPrefix(s.Digest, "sha256:") || len(s.Digest) != len("sha256:")+64:
		return Signed{}, errors.New("digest: must be sha256: and 64 hexadecimal digits")
	case s.To.Before(s.From) || s.To.IsZero():
		return Signed{}, errors.New("to: must not lie before from")
	case len(s.Note) > 4096:
		return Signed{}, errors.New("note: is longer than 4096 bytes")
	}
	r := &audit.Record{Kind: "review", Sponsor: s.Sponsor, Detail: "signed off the review of " + s.From.UTC().Format(time.RFC3339) +
		" to " + s.To.UTC().Format(time.RFC3339) + ", " + s.Digest}
	if s.Note != "" {
		r.Detail += ": " + s.Note
	}
	ticket := c.log.Append(r)
	return Signed{Record: ticket.ID()}, ticket.Wait(ctx)
}

func (c *Server) controlSignReview(ctx context.Context, body []byte) (any, error) {
	var s SignOff
	if err := strictJSON(body, &s); err != nil {
		return nil, err
	}
	signed, err := c.SignReview(ctx, s)
	if err != nil {
		if c.Ready() != nil {
			return nil, &admin.Problem{Status: http.StatusServiceUnavailable, Code: string(NotRecorded), Detail: err.Error(), Remedy: "see /readyz"}
		}
		return nil, &admin.Problem{Status: http.StatusUnprocessableEntity, Code: "bad_review", Detail: err.Error(), Remedy: "byline review --sign-off sends it in the right form"}
	}
	return signed, nil
}
