package proxy

import (
	"context"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/wire"
)

// Question is a request that somebody wants explained rather than sent.
type Question struct {
	Task   string                // of a living task; empty: Scope is asked instead
	Scope  []identity.ScopeEntry // a scope to try
	Agent  string
	Method string
	Host   string // authority
	Scheme string // https when empty
	Target string // path and query
	Fields []wire.Field
	Body   []byte // read where the adapter names actions by it
}

// Explanation is what the walk would do, step by step, up to the checkout.
type Explanation struct {
	Adapter    string     `json:"adapter,omitempty"`
	Action     string     `json:"action,omitempty"`
	Resource   string     `json:"resource,omitempty"`
	Privileged bool       `json:"privileged,omitempty"`
	Effect     string     `json:"effect"`
	Policies   []string   `json:"policies,omitempty"`
	Stripped   []Stripped `json:"stripped,omitempty"`
	Sent       []string   `json:"sent,omitempty"` // names of the fields that would go out
	Query      string     `json:"query,omitempty"`
	Code       Code       `json:"code,omitempty"` // of the refusal
	Why        string     `json:"why,omitempty"`
	Near       []string   `json:"near,omitempty"` // actions that it nearly is, and what is in the way
}

// Stripped is one borrowed credential that would stay behind.
type Stripped struct {
	In   string `json:"in"`
	Name string `json:"name"`
}

// Explain walks a request as far as the checkout and sends nothing, records
// nothing, leases nothing.
func (c *Server) Explain(_ context.Context, q Question) (Explanation, error) {
	t := c.task(q.Task)
	if q.Task == "" {
		it, err := identity.Trial(q.Agent, q.Scope)
		if err != nil {
			return Explanation{}, err
		}
		t = &task{Task: it}
	}
	if t == nil {
		return Explanation{}, ErrNoTask
	}
	if q.Scheme == "" {
		q.Scheme = "https"
	}
	tun := &tunnel{c: c, task: t, authority: canonicalAuthority(q.Host, q.Scheme)}
	tun.host, _ = splitAuthority(tun.authority)
	x := &exchange{c: c, rules: c.rules.Load(), tunnel: tun, began: time.Now(), in: &wire.Request{Head: wire.Head{
		Proto: "HTTP/1.1", Method: q.Method, Scheme: q.Scheme, Authority: q.Host, Fields: q.Fields,
	}}}
	x.in.Path, x.in.Query, x.in.HasQuery = cutQuery(q.Target)
	if len(q.Body) > 0 {
		x.in.Body, x.in.Length = newReplay(q.Body), int64(len(q.Body))
	}
	err := x.admit()
	if err == nil {
		err = x.decide()
	}
	return x.explanation(err), nil
}

func (x *exchange) explanation(err error) Explanation {
	e := Explanation{Action: x.action.Name, Resource: x.action.Resource, Privileged: x.action.Privileged,
		Effect: effect(x.decision), Policies: x.decision.Policies}
	if x.adapter != nil {
		e.Adapter = x.adapter.Name()
	}
	if err != nil {
		r := asRefusal(err)
		e.Code, e.Why = r.Code, r.Detail
		if r.Code == ActionUnclassified {
			e.Near = x.near(true)
		}
		return e
	}
	x.strip()
	for _, b := range x.borrowed {
		e.Stripped = append(e.Stripped, Stripped{b.In, b.Name})
	}
	for _, f := range x.out.Fields {
		e.Sent = append(e.Sent, f.Name)
	}
	e.Query = x.out.Query
	return e
}
