package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/policy"
	"github.com/byline-proxy/byline/proxy/wire"
)

// messageMethod stands in records and for policies where a request has its method.
const messageMethod = "MESSAGE"

// decideMessage is the walk of one message that the agent sends on a WebSocket.
// The wire calls it before the message leaves, one message after another. The
// message is read, judged and rewritten. One that holds a secret of the account
// ends the task, as a request does. If the adapter has an action for it,
// that is decided and put on record as a request is. A message that is refused
// closes the WebSocket.
func (x *exchange) decideMessage(ctx context.Context, m *wire.Message) error {
	if what, found := x.session.FindOwnIn(m.Payload); found {
		attack := &message{x: x, rules: x.rules, started: time.Now(), bytes: int64(len(m.Payload))}
		return x.refuseMessage(attack, x.quarantine(ctx, what))
	}

	switch m.Kind {
	case wire.MessageText, wire.MessageBinary:
	default:
		borrowed := x.adapter.JudgeMessageText(x.session, m.Payload)
		if len(borrowed) > 0 {
			return x.refuseMessage(&message{x: x, rules: x.rules, started: time.Now(), borrowed: borrowed}, borrowedInMessage(borrowed))
		}
		return nil
	}

	g := &message{x: x, rules: x.server.rules.Load(), started: time.Now(), bytes: int64(len(m.Payload))}
	if err := g.decide(ctx, m); err != nil {
		return x.refuseMessage(g, err)
	}
	if g.action.Name == "" {
		return nil // it is part of the action that opened the WebSocket
	}
	if err := g.intend(ctx); err != nil {
		return x.refuseMessage(g, err)
	}
	m.Done = g.outcome
	return nil
}

// message is one message with what the walk learns about it.
type message struct {
	x        *exchange // that opened the WebSocket
	rules    *rules    // in force when the message came, which may be long after the WebSocket was opened
	started  time.Time
	bytes    int64
	action   adapters.Action
	decision policy.Decision
	borrowed []adapters.Borrowed
	intent   string // id of the durable intent record; empty until then
}

// decide asks the adapter what the message does and the policy whether the task
// may do it. It replaces the payload by what may be sent.
func (g *message) decide(ctx context.Context, m *wire.Message) error {
	x := g.x
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}

	reading, refused := x.adapter.ReadMessage(x.action.Socket, adapters.SocketMessage{
		Context: ctx, Binary: m.Kind == wire.MessageBinary, Payload: m.Payload, Session: x.session,
	})
	if refused != nil {
		g.borrowed = refused.Borrowed
		return x.unreadMessage(refused)
	}

	m.Payload = reading.Payload
	g.action = reading.Action
	if g.action.Name == "" {
		g.decision = x.decision
		return nil
	}

	grant := g.rules.compiledGrant(x.tunnel.task)
	g.decision = grant.Decide(policy.Request{
		Adapter: x.adapter.Name(), Action: g.action.Name, Resource: g.action.Resource, Privileged: g.action.Privileged,
		Method: messageMethod, Host: x.tunnel.host, Path: x.in.Path, Now: g.started,
	})
	if g.decision.Effect == policy.Permit {
		return nil
	}
	if Code(g.decision.Code) == PolicyDenied {
		return refuse(PolicyDenied, "the policy %v forbids %s now.", g.decision.Policies, g.action.Name)
	}
	return refuse(OutOfScope, "%s is outside this task's scope. It allows: %s.", g.action.Name, grant.Allows())
}

// unreadMessage is the refusal of a message that the adapter cannot read or name.
func (x *exchange) unreadMessage(why *adapters.MessageRefusal) *Refusal {
	switch {
	case len(why.Borrowed) > 0:
		return borrowedInMessage(why.Borrowed)
	case why.Ambiguous != "":
		return refuse(AmbiguousRequest, "the message can be read in two ways: %s.", why.Ambiguous)
	}
	return refuse(ActionUnclassified, "the adapter %s names no action for this message.", x.adapter.Name())
}

func borrowedInMessage(all []adapters.Borrowed) *Refusal {
	return refuse(MessageCredential, "the message holds a credential (%s). Byline puts the session on; send the message without it.", shownName(all[0].Name))
}

// shownName is the name of a credential in a text.
func shownName(name string) string {
	if name == "" {
		return "known by its value"
	}
	return fmt.Sprintf("%.40q", name)
}

// intend puts the intent on record and returns once it is durable (I3). The task
// may end and the lease may be lost meanwhile.
func (g *message) intend(ctx context.Context) error {
	x := g.x
	ticket := x.server.append(g.record("intent"))
	if err := ticket.Wait(ctx); err != nil {
		if over := x.tunnel.task.Active(); over != nil {
			return refuseEnded(over)
		}
		return refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record no message leaves.").because(err)
	}
	g.intent = ticket.ID()

	if err := x.tunnel.task.Active(); err != nil {
		return refuseEnded(err)
	}
	if !x.hold.lease.Valid() {
		return refuse(LeaseUnavailable, "the lease on the account was lost.")
	}
	return nil
}

// outcome records that the message was written to the application, or that it
// could not be. What the application makes of it shows in no answer of its own.
func (g *message) outcome(err error) {
	code := Code("")
	if err != nil {
		code = g.x.causeOfBreak(err)
	}
	g.finish("outcome", code)
}

// finish appends the record that ends the message, and counts it.
func (g *message) finish(kind string, code Code) string {
	took := time.Since(g.started)
	r := g.record(kind)
	r.Intent, r.Code, r.BytesUp, r.DurationUS = g.intent, string(code), g.bytes, took.Microseconds()
	if kind == "outcome" {
		r.Status = 101
	} else {
		r.Status = codes[code].status
	}
	g.x.server.metrics.exchange(r.Adapter, string(code), r.Status, took)
	return g.x.server.append(r).ID()
}

// record returns a record, for append, of what is known of the message. Its detail
// names the intent of the request that opened the WebSocket.
func (g *message) record(kind string) *audit.Record {
	x := g.x
	r := records.Get().(*audit.Record)
	setPrincipal(r, kind, x.tunnel.task)
	r.Adapter, r.AdapterDigest, r.PolicyDigest = x.adapter.Name(), x.adapter.Digest(), g.rules.policy.Digest()
	r.Action, r.Resource, r.Privileged = g.action.Name, g.action.Resource, g.action.Privileged
	r.Method, r.Host, r.Path = messageMethod, x.tunnel.authority, x.in.Path
	r.Decision = audit.Decision{Effect: effect(g.decision), Policies: g.decision.Policies}
	r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
	r.Detail = "message on the WebSocket of " + x.intent
	for _, b := range g.borrowed {
		r.Stripped = append(r.Stripped, x.strippedRecord(b))
	}
	return r
}

// refuseMessage records the refusal of a message and returns the error that closes
// the WebSocket: status 1008 with the code and the id of the record.
func (x *exchange) refuseMessage(g *message, err error) error {
	refusal := asRefusal(err)
	x.server.logRefusal(x.tunnel, refusal)

	var id string
	if g.intent == "" {
		id = g.finish("refusal", refusal.Code)
	} else {
		id = g.intent
		g.finish("outcome", refusal.Code)
	}
	return &wire.CloseError{Status: wire.ClosePolicy, Reason: fmt.Sprintf("%s, record %s", refusal.Code, id), Err: refusal}
}

// shieldMessage masks the session's secrets in a message of the application (I1).
// The wire calls it with whole messages, so that no secret is in two of them.
func (x *exchange) shieldMessage(m *wire.Message) error {
	x.masker.InPlace(m.Payload)
	return nil
}
