package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/byline-proxy/byline/proxy/lease"
	"github.com/byline-proxy/byline/proxy/wire"
)

// renew replaces a session that the application says is over, at most once for a
// request, and ends one that an answer made another's. It sends again only what cannot have taken effect: safe methods (RFC
// 9110 section 9.2.1) and actions that the adapter calls safe. Anything else the
// agent must decide to send again.
func (x *exchange) renew(ctx context.Context, resp *wire.Response) (*wire.Response, error) {
	over, err := x.sessionOver(resp)
	if err != nil {
		return nil, err
	}
	if !over {
		return resp, x.identify(resp)
	}
	verdict, retry := x.judgeEnd(ctx)
	if verdict == endedNo {
		return resp, x.identify(resp)
	}

	closeBody(resp)
	if verdict == endedUnknown {
		return nil, x.refuseUnknownEnd(retry)
	}
	useful := x.hold.useful.Load() == x.session
	x.giveUp(resp, useful)
	if !x.replayable() {
		if blocked, ok := errors.AsType[*lease.BlockedError](x.hold.lease.LoginRefused()); ok {
			return nil, x.noSession(blocked)
		}
		return nil, refuse(RenewNotReplayable, "the session at %s had ended and will be renewed. This %s was not sent a second time: "+
			"check whether it took effect, then send it again (forms need fresh tokens).", x.tunnel.host, x.in.Method)
	}

	if err := x.openSession(ctx); err != nil {
		return nil, err
	}
	if err := x.passGate(ctx); err != nil {
		return nil, err
	}
	x.strip()
	x.inject()
	resp, err = x.forward(ctx)
	if err != nil {
		return nil, err
	}

	over, err = x.sessionOver(resp)
	if err != nil {
		return nil, err
	}
	if !over {
		return resp, x.identify(resp)
	}
	switch verdict, retry := x.judgeEnd(ctx); verdict {
	case endedYes:
		closeBody(resp)
		return nil, x.overAgain(resp, useful)
	case endedUnknown:
		closeBody(resp)
		return nil, x.refuseUnknownEnd(retry)
	}
	return resp, x.identify(resp)
}

// refuseUnknownEnd returns the refusal for a request whose answer calls the session
// over while the application does not say whether it is. The session stays.
func (x *exchange) refuseUnknownEnd(retry time.Time) error {
	r := refuse(LoginFailed, "an answer of %s looks as if the session were over, and the application does not say at the moment whether it is. "+
		"Check whether the request took effect, then send it again.", x.tunnel.host)
	r.Retry = int(time.Until(retry)/time.Second) + 1
	return r
}

// overAgain returns the refusal for a request that two sessions in a row got the
// answer to that they were over. If the one before had good answers, the page is
// more likely wrong than the new session, which the next request tries.
func (x *exchange) overAgain(resp *wire.Response, useful bool) error {
	if !useful {
		x.giveUp(resp, false)
		if err := x.hold.lease.LoginRefused(); err != nil {
			return x.noSession(err)
		}
	}
	return refuse(LoginFailed, "%s ended the new session at once. The operator should check the account %s, and whether login.ended in the adapter %s also "+
		"holds for this page when somebody is logged in.", x.tunnel.host, x.hold.lease.Account(), x.adapter.Name())
}

// needsPerson returns why an account needs a person, or its task has no session: the
// answer to a request calls a session over that was made just before.
func needsPerson(method, path string, status int) string {
	return fmt.Sprintf("the login succeeds, but then the application calls the session over (last: %s %s was answered with %d). "+
		"Usual causes: a password that has expired, terms to accept, an account without access, or login.ended in the adapter, which also holds for pages of somebody who is logged in.",
		method, path, status)
}

// giveUp takes a session out of use that an answer calls over, and logs it out:
// the answer may be wrong. useful says that the session had good answers before.
func (x *exchange) giveUp(resp *wire.Response, useful bool) {
	why := needsPerson(x.in.Method, x.session.Mask().Text(x.in.Path), resp.Status)
	was, err := x.hold.lease.GiveUp(x.session, useful, why)
	if !was {
		return // another request was first
	}
	x.server.warnNotStored(x.hold, err)

	at := x.hold.site.Load()
	x.server.discard(x.tunnel.task, x.hold, at, x.session, "an answer called the session over")
	if _, blocked := errors.AsType[*lease.BlockedError](x.hold.lease.LoginRefused()); blocked {
		x.server.alertAbout(x.tunnel.task, x.hold, at, alertNeedsPerson, why)
	}
}

// replayable reports whether the request can be sent a second time: it cannot
// have taken effect, and its whole body is still here.
func (x *exchange) replayable() bool {
	safe := x.action.Safe
	switch x.in.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		safe = !x.action.Writes
	}
	return safe && (x.in.Body == nil || x.bodyComplete)
}

// endedPeekLimit bounds how many bytes of an answer are held in order to see
// whether the session has ended.
const endedPeekLimit = 64 << 10

// sessionOver asks the adapter whether the answer says that the session is over.
// If it does not, the session has proven useful.
func (x *exchange) sessionOver(resp *wire.Response) (bool, error) {
	over, err := x.matchEnded(resp)
	if err == nil && !over && resp.Status < http.StatusBadRequest && x.hold.useful.Load() != x.session {
		x.noteUseful()
	}
	return over, err
}

// matchEnded asks the adapter whether the answer says that the session is over.
// It reads the start of the body if the adapter's rules need it; the body can
// still be read from its start.
func (x *exchange) matchEnded(resp *wire.Response) (bool, error) {
	if resp.Body == nil || !x.adapter.EndedNeedsBody(resp.Status, resp.Fields) {
		return x.adapter.Ended(resp.Status, resp.Fields, nil), nil
	}

	if whole, ok := resp.Body.(wire.WholeBody); ok {
		rest := whole.Rest()
		return x.adapter.Ended(resp.Status, resp.Fields, rest[:min(len(rest), endedPeekLimit)]), nil
	}

	size := resp.Length
	if size < 0 || size > endedPeekLimit {
		size = endedPeekLimit
	}
	start := make([]byte, size)
	n, err := io.ReadFull(resp.Body, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		closeBody(resp)
		return false, refuse(UpstreamUnreached, "the answer of %s broke off.", x.tunnel.host).because(err)
	}

	rest := resp.Body
	resp.Body = &replacedBody{Reader: &prefixedBody{start[:n], rest}, Closer: rest}
	return x.adapter.Ended(resp.Status, resp.Fields, start[:n]), nil
}
