package proxy

import (
	"context"
	"errors"

	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// An exchange that is cut from this side says nothing about the application. What
// cut it is known by contexts: the task ended, the lease on the account
// was lost, the server was shut down, or the agent left.

// refusalFor returns the refusal for the error of a step. A step that waited for
// something names what it waited for; if the wait was cut, the refusal says by what.
func (x *exchange) refusalFor(err error) *Refusal {
	r := asRefusal(err)
	switch r.Code {
	case LeaseUnavailable, LoginFailed, NotRecorded, OverBudget, UpstreamUnreached:
		if cut := x.interruption(x.ctx, err); cut != nil {
			return cut
		}
	}
	return r
}

// interruption returns the refusal for an exchange that err ended, if it was cut from
// this side, and nil if it was not. The agent reads it only if it is still there.
func (x *exchange) interruption(ctx context.Context, err error) *Refusal {
	if !isInterruption(ctx, err) {
		return nil
	}
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}
	if x.hold != nil && isLost(x.hold.lease.Context()) {
		return refuseLostLease().because(context.Cause(x.hold.lease.Context()))
	}
	if x.server.drained.Err() != nil {
		r := refuse(Drained, "Byline was shut down before %s had answered. The request may have taken effect: look before you send it again.", x.tunnel.host)
		r.Retry = 5
		return r
	}
	return refuse(AgentGone, "the agent left before %s had answered.", x.tunnel.host)
}

// refuseLostLease returns the refusal of a request whose account may be another task's
// by now.
func refuseLostLease() *Refusal {
	return refuse(LeaseUnavailable, "the lease on the account was lost. Try again.")
}

// isInterruption reports whether err comes of the end of ctx, or of a pool that this
// side closed.
func isInterruption(ctx context.Context, err error) bool {
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Stage == wire.StageCanceled {
		return true
	}
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
}

// isLost reports whether a lease, of which ctx is the context, ended although its task
// did not.
func isLost(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, lease.ErrStale) || errors.Is(cause, lease.ErrLapsed)
}
