package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
)

// records are used again: two are filled for every exchange, and the log keeps
// nothing of them.
var records = sync.Pool{New: func() any { return new(audit.Record) }}

// append hands r over and forgets it.
func (c *Corridor) append(r *audit.Record) audit.Ticket {
	t := c.log.Append(r)
	clear(r.Stripped)
	*r = audit.Record{Stripped: r.Stripped[:0]}
	records.Put(r)
	return t
}

// record is what is known of the exchange so far, in the words of the record.
// Query values and field values are never part of it. It is for append.
func (x *exchange) record(kind string) *audit.Record {
	r := records.Get().(*audit.Record)
	x.c.name(r, kind, x.tunnel.task)
	r.PolicyDigest = x.rules.policy.Digest()
	r.Method, r.Host, r.Path = x.in.Method, x.tunnel.authority, x.in.Path
	if x.adapter != nil {
		r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	}
	r.Action, r.Resource, r.Privileged = x.action.Name, x.action.Resource, x.action.Privileged
	r.Decision = audit.Decision{Effect: effect(x.decision), Policies: x.decision.Policies}
	for _, b := range x.borrowed {
		r.Stripped = append(r.Stripped, x.sighted(b))
	}
	if x.hold != nil {
		r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
	}
	return r
}

func effect(d policy.Decision) string {
	if d.Effect == policy.Permit {
		return "permit"
	}
	return "deny"
}

// intend puts the intent on record and returns once it is durable (I3).
func (x *exchange) intend(ctx context.Context) error {
	r := x.record("intent")
	if x.adapter.Counts() {
		x.count = x.hold.count.Add(1)
		r.Count = x.count
	}
	ticket := x.c.append(r)
	if err := ticket.Wait(ctx); err != nil {
		if ctx.Err() != nil && x.tunnel.task.Active() != nil {
			return ended(x.tunnel.task.Active())
		}
		r := refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record no request leaves. Try again later.").because(err)
		r.Retry = 5
		return r
	}
	x.intent = ticket.ID()
	if err := x.tunnel.task.Active(); err != nil {
		return ended(err) // the task ended while the record was being written
	}
	if !x.hold.lease.Valid() {
		return refuse(LeaseUnavailable, "the lease on the account was lost. Try again.")
	}
	return nil
}

// outcome closes the exchange on record. It does not wait: an intent without
// an outcome is itself evidence of a crash.
func (x *exchange) outcome(status int, code Code, sent, received int64) string {
	var r *audit.Record
	if x.intent == "" {
		if x.adapter != nil && x.out.Method == "" {
			x.strip() // a request that was refused before that may carry a person's session too
		}
		r = x.record("refusal")
	} else {
		r = records.Get().(*audit.Record)
		x.c.name(r, "outcome", x.tunnel.task)
		r.Intent, r.Adapter, r.AdapterDigest, r.PolicyDigest = x.intent, x.adapter.Name(), x.adapter.Digest(), x.rules.policy.Digest()
		r.Action, r.Resource = x.action.Name, x.action.Resource
		r.Method, r.Host, r.Path = x.in.Method, x.tunnel.authority, x.in.Path
		r.Decision = audit.Decision{Effect: effect(x.decision), Policies: x.decision.Policies}
		r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
		x.outcomeOnly(r)
	}
	r.Status, r.Code, r.BytesDown, r.BytesUp = status, string(code), sent, received
	took := time.Since(x.began)
	r.DurationUS = took.Microseconds()
	x.c.metrics.exchange(r.Adapter, string(code), status, took)
	return x.c.append(r).ID()
}

// outcomeOnly adds what shows only while bytes flow: credentials behind a body,
// and the messages of a WebSocket.
func (x *exchange) outcomeOnly(r *audit.Record) {
	for _, b := range x.late.take() {
		r.Stripped = append(r.Stripped, x.sighted(b))
	}
	if x.messages != nil {
		r.MessagesUp, r.MessagesDown = x.messages.Up.Load(), x.messages.Down.Load()
	}
}

// refuse answers with a refusal and puts it on record.
func (x *exchange) refuse(r *Refusal) *wire.Response {
	x.c.logRefusal(x.tunnel, r)
	if log := x.c.opt.Log; r.Code == ActionUnclassified && log.GetLevel() <= zerolog.DebugLevel {
		log.Debug().Str("adapter", x.adapter.Name()).Str("method", x.in.Method).Str("path", x.in.Path).Strs("near", x.near(false)).Msg("no action")
	}
	if x.intent == "" {
		return r.response(x.outcome(r.status(), r.Code, 0, 0))
	}
	resp := r.response(x.intent)
	resp.Done = func(sent, received int64, _ error) { x.outcome(r.status(), r.Code, sent, received) }
	return resp
}

// relay hands the answer to the wire, which streams it; the outcome follows
// the last byte, or the break.
func (x *exchange) relay(resp *wire.Response) *wire.Response {
	resp.Fields = append(resp.Fields, wire.Field{Name: "Byline-Record", Value: x.intent})
	status := resp.Status
	if resp.Switched != nil {
		x.messages = new(wire.Messages)
		resp.Messages = x.messages
	}
	resp.Done = func(sent, received int64, err error) {
		var code Code
		if err != nil {
			code = x.brokeOff(err)
		}
		x.outcome(status, code, sent, received)
	}
	return resp
}

// brokeOff names why a relay did not reach its end.
func (x *exchange) brokeOff(err error) Code {
	if x.tunnel.task.Active() != nil {
		return TaskEnded
	}
	var e *wire.Error
	if errors.As(err, &e) {
		return UpstreamUnreached
	}
	return "agent_gone"
}

// taskRecord is a record that carries who acts: agent, sponsor, task, grant.
func (c *Corridor) taskRecord(kind string, t *task) *audit.Record {
	r := new(audit.Record)
	c.name(r, kind, t)
	return r
}

func (c *Corridor) name(r *audit.Record, kind string, t *task) {
	r.Kind = kind
	if t != nil {
		p := t.Principal()
		r.Agent, r.Sponsor, r.Task, r.Grant = p.Agent, p.Sponsor, p.Task, p.Grant
	}
}

// note puts a lifecycle record (task, lease, login, logout, reload) on record
// and waits until it is durable.
func (c *Corridor) note(ctx context.Context, r *audit.Record) error {
	return c.log.Append(r).Wait(ctx)
}

// recordAgain is how soon something that could not be recorded is tried anew.
const recordAgain = time.Second

// untilRecorded does what must happen whether or not it can be put on record
// just now. It does it once before it returns; while that fails because of the
// record, it goes on in the background until it is done or the corridor closes:
// what is left then, the next start takes up from the store.
func (c *Corridor) untilRecorded(do func(context.Context) error) {
	try := func() (done bool) {
		ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
		defer cancel()
		return !errors.Is(do(ctx), audit.ErrNotRecorded)
	}
	if try() {
		return
	}
	go func() {
		tick := time.NewTicker(recordAgain)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-tick.C:
			}
			if c.log.Err() == nil && try() {
				return
			}
		}
	}()
}
