package proxy

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
)

// Explain returns what the walk would do with a request, as far as the checkout.
// It sends, records and leases nothing. The error is ErrNoTask if the question
// names a task that does not exist, and names what is unknown in its scope.
func (s *Server) Explain(ctx context.Context, q admin.Question) (admin.Explanation, error) {
	t := s.task(q.Task)
	if q.Task == "" {
		spec := identity.Spec{Scope: scopeEntries(q.Scope)}
		if problems := s.rules.Load().checkScope(spec); len(problems) > 0 {
			return admin.Explanation{}, errors.Join(problems...)
		}
		it, err := identity.Trial(q.Agent, spec.Scope)
		if err != nil {
			return admin.Explanation{}, err
		}
		t = &task{Task: it}
	}
	if t == nil {
		return admin.Explanation{}, ErrNoTask
	}

	x := s.trialExchange(t, q)
	defer x.closeSpool()
	defer x.held.giveBackAll()
	err := x.admit()
	if err == nil {
		err = x.decide(ctx)
	}
	if err != nil || q.Message == "" && !q.Binary {
		return x.explanation(err), nil
	}
	return x.explainMessage(ctx, q), nil
}

// explainMessage is Explain for a message on the WebSocket that the exchange would open.
func (x *exchange) explainMessage(ctx context.Context, q admin.Question) admin.Explanation {
	m := &wire.Message{Kind: wire.MessageText, Payload: []byte(q.Message)}
	if q.Binary {
		m.Kind = wire.MessageBinary
	}
	f := &messageFrame{x: x}
	refused, err := f.decide(ctx, m)

	e := x.explanation(err)
	for _, g := range append(f.messages, refused) {
		if g == nil || g.action.Name == "" {
			continue
		}
		e.Messages = append(e.Messages, admin.ExplainedMessage{Action: g.action.Name, Resource: g.action.Resource, Privileged: g.action.Privileged,
			Effect: effect(g.decision), Policies: g.decision.Policies})
	}
	if err == nil {
		e.Payload = string(m.Payload)
		return e
	}
	e.Effect = effect(policy.Decision{})
	if e.Messages == nil && len(refused.borrowed) == 0 {
		e.Near = x.adapter.ExplainMessage(x.action.Socket, adapters.SocketMessage{Context: ctx, Binary: q.Binary, Payload: []byte(q.Message)})
	}
	return e
}

// trialExchange returns an exchange for a request that nobody sent.
func (s *Server) trialExchange(t *task, q admin.Question) *exchange {
	if q.Scheme == "" {
		q.Scheme = "https"
	}
	tun := &tunnel{server: s, task: t, authority: canonicalAuthority(q.Host, q.Scheme)}
	tun.host, _ = wire.SplitAuthority(tun.authority)

	in := &wire.Request{Head: wire.Head{Proto: "HTTP/1.1", Method: q.Method, Scheme: q.Scheme, Authority: q.Host}}
	in.Path, in.Query, in.HasQuery = cutQuery(q.Target)
	for _, h := range q.Headers {
		if strings.EqualFold(h[0], "Upgrade") {
			in.Upgrade = strings.ToLower(h[1])
			continue
		}
		in.Fields = append(in.Fields, wire.Field{Name: h[0], Value: h[1]})
	}
	if q.Message != "" || q.Binary {
		in.Upgrade = "websocket"
	}
	if q.Body != "" {
		in.Body, in.Length = strings.NewReader(q.Body), int64(len(q.Body))
	}
	return &exchange{server: s, rules: s.rules.Load(), tunnel: tun, started: time.Now(), in: in}
}

// explanation returns what is known of the exchange. err is what the walk was
// refused with, or nil.
func (x *exchange) explanation(err error) admin.Explanation {
	e := admin.Explanation{Action: x.action.Name, Resource: x.action.Resource, Privileged: x.action.Privileged,
		Effect: effect(x.decision), Policies: x.decision.Policies}
	if x.adapter != nil {
		e.Adapter = x.adapter.Name()
	}
	if err != nil {
		r := asRefusal(err)
		e.Code, e.Why = string(r.Code), r.Detail
		if x.notClassified != nil {
			e.Near = x.notClassified.Lines(true)
		}
		return e
	}

	x.strip()
	if err := x.refuseStrippedParameter(); err != nil {
		r := asRefusal(err)
		e.Code, e.Why = string(r.Code), r.Detail
		return e
	}
	for _, b := range x.borrowed {
		e.Stripped = append(e.Stripped, admin.Stripped{In: b.In, Name: b.Name, Held: b.Held})
	}
	for _, f := range x.out.Fields {
		e.Sent = append(e.Sent, f.Name)
	}
	e.Query = x.out.Query
	return e
}
