package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/byline-proxy/byline/proxy/wire"
)

// renew looks whether the SaaS says that the session is over. It logs in once
// and sends again only what cannot have been acted on: safe methods (RFC 9110
// section 9.2.1). Anything else the agent must decide to send again.
func (x *exchange) renew(ctx context.Context, resp *wire.Response) (*wire.Response, error) {
	if over, err := x.sessionOver(resp); !over || err != nil {
		return resp, err
	}
	closeBody(resp)
	x.hold.lease.Invalidate(x.session)
	if !safe(x.in.Method) && !x.action.Safe || x.in.Body != nil && !x.bodyComplete {
		return nil, refuse(RenewNotReplayable, "the session at %s had ended and will be renewed. This %s was not sent a second time: "+
			"check whether it took effect, then send it again (forms need fresh tokens).", x.tunnel.host, x.in.Method)
	}
	if err := x.openSession(ctx); err != nil {
		return nil, err
	}
	x.strip()
	x.inject()
	resp, err := x.forward(ctx)
	if err != nil {
		return nil, err
	}
	over, err := x.sessionOver(resp)
	if err != nil {
		return nil, err
	}
	if over {
		closeBody(resp)
		x.hold.lease.Invalidate(x.session)
		return nil, refuse(LoginFailed, "%s ended the new session at once. The operator should check the account %s, and whether login.ended in the adapter %s also "+
			"holds for this page when somebody is logged in.", x.tunnel.host, x.hold.lease.Account(), x.adapter.Name())
	}
	return resp, nil
}

// sessionOver asks the adapter, with the beginning of the body where its rule
// needs one. The body stays readable from its start.
func (x *exchange) sessionOver(resp *wire.Response) (bool, error) {
	if !x.adapter.EndedNeedsBody(resp.Status, resp.Fields) || resp.Body == nil {
		return x.adapter.Ended(resp.Status, resp.Fields, nil), nil
	}
	room := resp.Length
	if room < 0 || room > headRoom {
		room = headRoom
	}
	head := make([]byte, room)
	n, err := io.ReadFull(resp.Body, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		closeBody(resp)
		return false, refuse(UpstreamUnreached, "the answer of %s broke off.", x.tunnel.host).because(err)
	}
	rest := resp.Body
	resp.Body = &replacedBody{Reader: io.MultiReader(bytes.NewReader(head[:n]), rest), Closer: rest}
	return x.adapter.Ended(resp.Status, resp.Fields, head[:n]), nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// headRoom bounds how much of an answer is held to see whether the session has ended.
const headRoom = 64 << 10
