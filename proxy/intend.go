package proxy

import (
	"context"
	"errors"

	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// intend puts the intent on record and returns once it is durable (I3). While
// the record is being written the task may end and the lease may be lost, so
// both are checked again before anything is sent.
//
// If the disk takes too long, the request is refused although its intent may still
// become durable. The outcome, which follows it in the log, then says not_recorded.
func (x *exchange) intend(ctx context.Context) error {
	if err := x.server.log.Stalled(); err != nil {
		return refuseNotRecorded(err)
	}

	r := x.record("intent")
	if x.adapter.CountsRequests() {
		x.count = x.hold.count.Add(1)
		r.Count = x.count
	}

	ticket := x.server.append(r)
	if err := ticket.Wait(ctx); err != nil {
		if errors.Is(err, journal.ErrUndecided) {
			x.intent = ticket.ID()
		}
		if ctx.Err() != nil && x.tunnel.task.Active() != nil {
			return refuseEnded(x.tunnel.task.Active())
		}
		return refuseNotRecorded(err)
	}
	x.intent = ticket.ID()

	if err := x.tunnel.task.Active(); err != nil {
		return refuseEnded(err)
	}
	if !x.hold.lease.Valid() {
		return refuseLostLease()
	}
	return x.passGate(ctx)
}

// refuseNotRecorded returns the refusal of a request whose record is not durable.
func refuseNotRecorded(err error) *Refusal {
	r := refuse(NotRecorded, "Byline cannot write its record at the moment, and without a record no request leaves. Try again later.").because(err)
	r.Retry = 5
	return r
}
