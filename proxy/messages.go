package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
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

	f := &messageFrame{x: x}
	if refused, err := f.decide(ctx, m); err != nil {
		return x.refuseMessage(refused, err)
	}
	if len(f.messages) == 0 {
		return nil // it is part of the action that opened the WebSocket
	}
	if refused, err := f.intend(ctx); err != nil {
		return x.refuseMessage(refused, err)
	}
	m.Done = f.outcome
	return nil
}

// messageFrame is one message of the wire with the messages that the adapter finds
// in it: one, unless the action has a framing. They leave together or not at all.
type messageFrame struct {
	x        *exchange
	messages []*message
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

// decide asks the adapter what the messages do and the policy whether the task may
// do it. It replaces the payload by what may be sent. With an error it returns the
// message that is refused.
func (f *messageFrame) decide(ctx context.Context, m *wire.Message) (refused *message, err error) {
	x := f.x
	g := &message{x: x, rules: x.server.rules.Load(), started: time.Now(), bytes: int64(len(m.Payload))}
	if over := x.tunnel.task.maySend(); over != nil {
		return g, refuseEnded(over)
	}

	reading, unread := x.adapter.ReadMessage(x.action.Socket, adapters.SocketMessage{
		Context: ctx, Binary: m.Kind == wire.MessageBinary, Payload: m.Payload, Session: x.session,
	})
	if unread != nil {
		g.borrowed = unread.Borrowed
		return g, x.unreadMessage(unread)
	}

	m.Payload = reading.Payload
	for _, action := range reading.Actions {
		one := &message{x: x, rules: g.rules, started: g.started, bytes: int64(action.Bytes), action: action.Action}
		if err := one.authorize(); err != nil {
			return one, err
		}
		f.messages = append(f.messages, one)
	}
	return nil, nil
}

// authorize asks the policy whether the task may do what the message does.
func (g *message) authorize() error {
	x := g.x
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

// intend puts the intents on record and returns once they are durable (I3). The task
// may end and the lease may be lost meanwhile. With an error it returns the message
// that is refused; the outcomes of the others are on record.
func (f *messageFrame) intend(ctx context.Context) (refused *message, err error) {
	tickets := make([]journal.Ticket, len(f.messages))
	for i, g := range f.messages {
		tickets[i] = f.x.server.append(g.record("intent"))
	}
	for i, g := range f.messages {
		err = tickets[i].Wait(ctx)
		if err != nil {
			break
		}
		g.intent = tickets[i].ID()
	}

	first := f.messages[0]
	err = first.checkBeforeSending(err)
	if err == nil {
		return nil, nil
	}
	for i, g := range f.messages[1:] {
		g.intent = tickets[i+1].ID()
		g.finish("outcome", asRefusal(err).Code)
	}
	return first, err
}

// checkBeforeSending returns why the message must not leave although it was permitted. notRecorded
// is the error of its intent.
func (g *message) checkBeforeSending(notRecorded error) error {
	x := g.x
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}
	if notRecorded != nil {
		return refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record no message leaves.").because(notRecorded)
	}
	if !x.hold.lease.Valid() {
		return refuse(LeaseUnavailable, "the lease on the account was lost.")
	}
	return nil
}

// outcome records that the messages were written to the application, or that they
// could not be. No answer tells what the application did with them.
func (f *messageFrame) outcome(err error) {
	code := Code("")
	if err != nil {
		code = f.x.causeOfBreak(err)
	}
	for _, g := range f.messages {
		g.finish("outcome", code)
	}
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
	r.Action, r.Resource, r.Privileged = g.action.Name, x.session.Mask().Text(g.action.Resource), g.action.Privileged
	r.Method, r.Host = messageMethod, x.tunnel.authority
	r.Path, _ = x.maskedNames()
	r.Decision = audit.Decision{Effect: effect(g.decision), Policies: g.decision.Policies}
	r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
	r.Detail = "message on the WebSocket of " + x.intent
	r.Stripped = x.appendStripped(r.Stripped, g.borrowed)
	return r
}

// refuseMessage records the refusal of a message and returns the error that closes
// the WebSocket: status 1008 with the code and the id of the record.
func (x *exchange) refuseMessage(g *message, err error) error {
	refusal := asRefusal(err)

	var id string
	if g.intent == "" {
		id = g.finish("refusal", refusal.Code)
	} else {
		id = g.intent
		g.finish("outcome", refusal.Code)
	}
	x.server.logRefusal(x.tunnel, refusal, id)
	return &wire.CloseError{Status: wire.ClosePolicy, Reason: fmt.Sprintf("%s, record %s", refusal.Code, id), Err: refusal}
}

// shieldMessage masks the session's secrets in a message of the application (I1).
// The wire calls it with whole messages, so that no secret is in two of them.
func (x *exchange) shieldMessage(m *wire.Message) error {
	x.masker.InPlace(m.Payload)
	return nil
}
