package proxy

import (
	"errors"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/wire"
)

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
		x.server.setPrincipal(r, "outcome", x.tunnel.task)
		r.Intent, r.Adapter, r.AdapterDigest, r.PolicyDigest = x.intent, x.adapter.Name(), x.adapter.Digest(), x.rules.policy.Digest()
		r.Action, r.Resource = x.action.Name, x.action.Resource
		r.Method, r.Host, r.Path = x.in.Method, x.tunnel.authority, x.in.Path
		r.Decision = audit.Decision{Effect: effect(x.decision), Policies: x.decision.Policies}
		r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()
		x.outcomeOnly(r)
	}
	r.Status, r.Code, r.BytesDown, r.BytesUp = status, string(code), sent, received
	took := time.Since(x.started)
	r.DurationUS = took.Microseconds()
	x.server.metrics.exchange(r.Adapter, string(code), status, took)
	return x.server.append(r).ID()
}

// outcomeOnly adds what shows only while bytes flow: credentials behind a body,
// and the messages of a WebSocket.
func (x *exchange) outcomeOnly(r *audit.Record) {
	for _, b := range x.trailerBorrowed.take() {
		r.Stripped = append(r.Stripped, x.strippedRecord(b))
	}
	if x.messages != nil {
		r.MessagesUp, r.MessagesDown = x.messages.Up.Load(), x.messages.Down.Load()
	}
}
