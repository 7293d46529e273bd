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
	server  *Server
	rules   *rules  // captured once: a reload never changes a walk half way
	tunnel  *tunnel // fixed at CONNECT
	started time.Time

	in           *wire.Request     // sealed: never edited
	out          wire.Request      // built from what was understood
	adapter      *adapters.Adapter // nil until admitted
	body         []byte            // what was peeked of the body; the whole of it when kept is true
	bodyComplete bool

	action          adapters.Action
	decision        policy.Decision
	cookies         []adapters.Cookie // the agent's harmless ones
	borrowed        []adapters.Borrowed
	inBody          []adapters.Borrowed // the part of it that stood in the body
	trailerBorrowed lateBorrowed        // what came behind the body
	hold            *hold
	target          *wire.Target
	session         *adapters.Session
	masker          adapters.Veil  // over what comes back of the session
	messages        *wire.Messages // of a WebSocket, else nil
	count           int64          // of the request on its lease, where the adapter asks for it
	intent          string         // id of the durable intent record; empty until step 5
}

// exchange answers one request of a tunnel. It is the wire's Door.Walk.
func (t *tunnel) exchange(ctx context.Context, in *wire.Request) *wire.Response {
	x := &exchange{server: t.server, rules: t.server.rules.Load(), tunnel: t, in: in, started: time.Now()}
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
