package proxy

import (
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// relay returns the answer for the wire to stream to the agent. The outcome is
// recorded after the last byte, or when the stream breaks off.
func (x *exchange) relay(resp *wire.Response) *wire.Response {
	resp.Fields = append(resp.Fields, wire.Field{Name: "Byline-Record", Value: x.intent})
	x.maskedNames() // once, before messages of both directions are recorded with them
	if resp.Switched != nil {
		x.messages = &wire.Messages{Hold: x.holdMessage, Decide: x.decideMessage, Shield: x.shieldMessage}
		resp.Messages = x.messages
	}

	x.keepRelay(resp)
	status := resp.Status
	resp.Done = func(sent, received int64, err error) {
		var code Code
		if err != nil {
			code = x.causeOfBreak(err)
		}
		x.logStarred()
		x.outcome(status, code, sent, received)
	}
	return resp
}

// logStarred names what was masked for the first time in this session, so that the
// adapter's author sees which cookie caused asterisks.
func (x *exchange) logStarred() {
	log := x.server.opt.Log
	if log.GetLevel() > zerolog.DebugLevel {
		return
	}
	for _, what := range x.session.TakeStarred() {
		log.Debug().Str("adapter", x.adapter.Name()).Str("what", what).Str("path", x.session.Mask().Text(x.in.Path)).Msg("masked")
	}
}

// causeOfBreak returns the code of the reason why a relay did not reach its end.
func (x *exchange) causeOfBreak(err error) Code {
	if x.tunnel.task.Active() != nil {
		return TaskEnded
	}

	var e *wire.Error
	var refused *Refusal
	var closed *wire.CloseError
	cut := x.interruption(x.ctx, err)
	switch {
	case cut != nil:
		return cut.Code
	case upstream.AgentFault(err) != nil:
		return codeOfAgentFault(err)
	case errors.As(err, &e):
		return UpstreamUnreached
	case errors.As(err, &refused):
		return refused.Code // of a message
	case errors.As(err, &closed) && closed.Status == wire.CloseTooLarge:
		return TooLarge
	case errors.As(err, &closed):
		return AmbiguousRequest
	case x.server.drained.Err() != nil:
		return Drained
	}
	return AgentGone
}

// outcome records how the exchange ended and returns the id of that record. An
// exchange without an intent is recorded as a refusal. It does not wait until
// the record is durable: an intent without an outcome is itself evidence of a
// crash.
func (x *exchange) outcome(status int, code Code, sent, received int64) string {
	x.closeSpool()
	x.held.giveBackAll()

	var r *audit.Record
	if x.intent == "" {
		r = x.refusalRecord()
	} else {
		r = x.outcomeRecord()
	}

	took := time.Since(x.started)
	r.Status, r.Code = status, string(code)
	r.BytesDown, r.BytesUp = sent, received
	r.DurationUS = took.Microseconds()
	x.server.metrics.exchange(r.Adapter, string(code), status, took)
	return x.server.append(r).ID()
}

// refusalRecord names the credentials that the agent had borrowed even if the
// request was refused before they would have been stripped.
func (x *exchange) refusalRecord() *audit.Record {
	if x.adapter != nil && x.out.Method == "" {
		x.strip()
	}
	return x.record("refusal")
}

// outcomeRecord adds what shows only while bytes flow: credentials that followed
// the body, and the number of a WebSocket's messages.
func (x *exchange) outcomeRecord() *audit.Record {
	r := records.Get().(*audit.Record)
	setPrincipal(r, "outcome", x.tunnel.task)
	r.Intent = x.intent
	r.Adapter, r.AdapterDigest = x.adapter.Name(), x.adapter.Digest()
	r.PolicyDigest = x.rules.policy.Digest()
	r.Action = x.action.Name
	r.Method, r.Host = x.recordedMethod(), x.tunnel.authority
	r.Path, r.Resource = x.maskedNames()
	r.Decision = audit.Decision{Effect: effect(x.decision), Policies: x.decision.Policies}
	r.Account, r.Lease = x.hold.lease.Account(), x.hold.lease.ID()

	r.Stripped = x.appendStripped(r.Stripped, x.trailerBorrowed.get())
	if bad := x.bodyFault.Load(); bad != nil {
		r.Detail = "upload broken off: " + bad.Text
	}
	if x.messages != nil {
		r.MessagesUp, r.MessagesDown = x.messages.FromAgent.Load(), x.messages.ToAgent.Load()
	}
	return r
}
