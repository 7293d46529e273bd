package proxy

import (
	"context"
	"time"

	"github.com/byline-proxy/byline/proxy/lease"
)

// loginInputsChanged reports whether the account's secret or the adapter has changed
// since the last login.
func (x *exchange) loginInputsChanged(ctx context.Context) bool {
	at := x.hold.siteUnder(x.server.rules.Load())
	return x.server.loginInputsChanged(ctx, at.adapter, x.hold.lease.Account(), x.hold.lease.Inputs())
}

// refuseBackoff returns the refusal while no login is tried.
func (x *exchange) refuseBackoff(backoff *lease.BackoffError) *Refusal {
	until := backoff.Until.UTC().Format(time.RFC3339)
	var r *Refusal
	switch backoff.Reason {
	case lease.LoginRefused:
		r = refuse(LoginFailed, "the last login at %s was refused; the next one is tried after %s, or once the operator has stored another secret, so that the account is not locked out.", x.tunnel.host, until)
	case lease.SessionsEnded:
		r = refuse(LoginFailed, "the last sessions at %s were over soon after their login; the next login is tried after %s, so that the account is not locked out.", x.tunnel.host, until)
	default:
		r = refuse(LoginFailed, "the last login at %s failed; the next login is tried after %s.", x.tunnel.host, until)
	}
	r.Retry = int(time.Until(backoff.Until)/time.Second) + 1
	return r.because(backoff)
}

// refuseBlocked returns the refusal while a person must act.
func (x *exchange) refuseBlocked(blocked *lease.BlockedError) *Refusal {
	name := x.adapter.Name() + "/" + x.hold.lease.Account()
	if blocked.TaskOnly {
		return refuse(LoginFailed, "the account %s at %s needs a person, as far as this task's answers show: %s No login is tried for this task until the secret or the adapter has changed, or the operator says: byline account retry %s",
			x.hold.lease.Account(), x.tunnel.host, blocked.Why, name).because(blocked)
	}
	return refuse(LoginFailed, "the account %s at %s needs a person: %s No login is tried until its secret or the adapter has changed, or the operator says: byline account retry %s",
		x.hold.lease.Account(), x.tunnel.host, blocked.Why, name).because(blocked)
}
