package proxy

import (
	"context"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
)

// exchange is one request with its answer: everything the walk learns on the
// way. It belongs to one goroutine until the relay begins; from then on only
// the wire's Done touches it.
type exchange struct {
	c      *Corridor
	rules  *rules  // captured once: a reload never changes a walk half way
	tunnel *tunnel // fixed at CONNECT
	began  time.Time

	in      *wire.Request     // sealed: never edited
	out     wire.Request      // built from what was understood
	adapter *adapters.Adapter // nil until admitted
	body    []byte            // what was peeked of the body; the whole of it when kept is true
	kept    bool

	action   adapters.Action
	decision policy.Decision
	cookies  []adapters.Cookie // the agent's harmless ones
	borrowed []adapters.Borrowed
	inBody   []adapters.Borrowed // the part of it that stood in the body
	late     lateBorrowed        // what came behind the body
	hold     *hold
	target   *wire.Target
	session  *adapters.Session
	veil     adapters.Veil  // over what comes back of the session
	messages *wire.Messages // of a WebSocket, else nil
	count    int64          // of the request on its lease, where the adapter asks for it
	intent   string         // id of the durable intent record; empty until step 5
}

// exchange answers one request of a tunnel. It is the wire's Door.Walk.
func (t *tunnel) exchange(ctx context.Context, in *wire.Request) *wire.Response {
	x := &exchange{c: t.c, rules: t.c.rules.Load(), tunnel: t, in: in, began: time.Now()}
	resp, err := x.walk(ctx)
	if err != nil {
		return x.refuse(asRefusal(err))
	}
	return resp
}

// walk is the life of one request. The order of its lines is the security
// property of the product; docs/architecture.md gives the reason for each.
func (x *exchange) walk(ctx context.Context) (*wire.Response, error) {
	if err := x.admit(); err != nil { // 1: this host, one meaning, a living task
		return nil, err
	}
	if err := x.decide(); err != nil { // 2: named by the adapter, permitted by the policy
		return nil, err
	}
	x.strip()                               // 3: what a person lent the agent stays here
	if err := x.checkout(ctx); err != nil { // 4: one account, one session
		return nil, err
	}
	if err := x.intend(ctx); err != nil { // 5: no record, no request
		return nil, err
	}
	x.inject()                  // 6: from here on out is never logged
	resp, err := x.forward(ctx) // 7: one round trip
	if err != nil {
		return nil, err
	}
	if resp, err = x.renew(ctx, resp); err != nil { // 8: a session that ended, at most once
		return nil, err
	}
	if err := x.shield(resp); err != nil { // 9: the session stays here
		return nil, err
	}
	return x.relay(resp), nil // 10 and 11: stream, and put the outcome on record
}

// decide names the action (adapter) and asks whether the task may (policy).
func (x *exchange) decide() error {
	if err := x.peek(); err != nil {
		return err
	}
	h := &x.in.Head
	q := x.query()
	q.Body, q.Truncated = x.body, x.body != nil && !x.kept
	if err := x.stripBody(q); err != nil {
		return err
	}
	action, ok := x.adapter.Classify(q)
	if !ok {
		return x.unclassified()
	}
	x.action = action
	if action.Login {
		return refuse(LoginByAgent, "%s is a login page. Byline logs in by itself with an account checked out for this task; "+
			"go straight to the page you need, your requests are already authenticated.", h.Path)
	}
	x.decision = x.grant().Decide(policy.Request{
		Adapter: x.adapter.Name(), Action: action.Name, Resource: action.Resource, Privileged: action.Privileged,
		Method: h.Method, Host: x.tunnel.host, Path: h.Path, Now: x.began,
	})
	if x.decision.Effect != policy.Permit {
		return x.denied()
	}
	return nil
}

// strip builds the fields and the query that may go out. What the agent
// carried of a person's is left behind and kept for the record.
func (x *exchange) strip() {
	in := &x.in.Head
	x.out.Head = wire.Head{
		Proto: in.Proto, Method: in.Method, Scheme: in.Scheme, Authority: in.Authority,
		Path: in.Path, HasQuery: in.HasQuery, Length: in.Length, Upgrade: in.Upgrade,
		Expect: in.Expect && x.body == nil, TakesTrailers: in.TakesTrailers, Announced: in.Announced,
	}
	x.out.Fields, x.cookies, x.borrowed = x.adapter.Strip(make([]wire.Field, 0, len(in.Fields)+4), in.Fields)
	var fromQuery []adapters.Borrowed
	x.out.Query, fromQuery = x.adapter.StripQuery(in.Query)
	x.out.HasQuery = in.HasQuery && (x.out.Query != "" || in.Query == "")
	x.borrowed = append(append(x.borrowed, fromQuery...), x.inBody...)
	x.out.Body = x.outBody()
	if x.out.Interim, x.out.Trailers = nil, nil; x.in.Interim != nil {
		x.out.Interim = x
	}
	if x.in.Trailers != nil {
		x.out.Trailers = x.outTrailers
	}
}

// inject puts the session on. out.Fields is never logged after this.
func (x *exchange) inject() {
	x.out.Fields = readable(x.out.Fields)
	x.out.Fields = x.adapter.Inject(x.out.Fields, x.session, x.cookies, x.tunnel.host, x.in.Path, x.publicScheme() == "https", x.began)
	x.out.Fields = x.adapter.Count(x.out.Fields, x.count, x.intent)
	x.veil = x.session.Veil()
	x.out.Query = x.adapter.InjectQuery(x.out.Query, x.session)
	x.out.HasQuery = x.out.HasQuery || x.out.Query != ""
	x.injectBody()
	x.out.Fields = x.adapter.Sign(x.out.Fields, x.session, x.out.Method, x.out.Path, x.out.Query, x.out.HasQuery)
}
