package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
)

// forward makes one round trip over the lease's own connections.
func (x *exchange) forward(ctx context.Context) (*wire.Response, error) {
	resp, err := x.hold.pool.RoundTrip(ctx, x.target, &x.out)
	if err != nil {
		return nil, x.unreached(ctx, err)
	}
	if resp.Status == http.StatusPartialContent && adapters.Maskable(value(resp.Fields, "Content-Type")) && x.in.Method == http.MethodGet {
		return x.forwardWhole(ctx, resp)
	}
	return x.decoded(resp)
}

// forwardWhole asks again for the whole of a text that came back in part: a
// secret that a range cuts in two could be read out piece by piece, and RFC
// 9110 section 14.2 lets anyone ignore Range.
func (x *exchange) forwardWhole(ctx context.Context, part *wire.Response) (*wire.Response, error) {
	closeBody(part)
	kept := make([]wire.Field, 0, len(x.out.Fields))
	for _, f := range x.out.Fields {
		if !strings.EqualFold(f.Name, "Range") && !strings.EqualFold(f.Name, "If-Range") {
			kept = append(kept, f)
		}
	}
	x.out.Fields = kept
	resp, err := x.hold.pool.RoundTrip(ctx, x.target, &x.out)
	if err != nil {
		return nil, x.unreached(ctx, err)
	}
	return x.decoded(resp)
}

// decoded makes sure that a text can be read: by the rules that look for the end
// of a session, and by the mask.
func (x *exchange) decoded(resp *wire.Response) (*wire.Response, error) {
	coding := value(resp.Fields, "Content-Encoding")
	if coding == "" {
		return resp, nil
	}
	if err := decode(resp); err != nil {
		return nil, refuse(UpstreamUnreached, "%s answered in the coding %q, which it was not offered and in which secrets cannot be masked.", x.tunnel.host, coding).because(err)
	}
	return resp, nil
}

// unreached says what kept the request from being answered.
func (x *exchange) unreached(ctx context.Context, err error) error {
	if over := x.tunnel.task.Active(); over != nil {
		return ended(over)
	}
	if m := wire.AgentFault(err); m != nil {
		return malformed(m).because(err)
	}
	return unreached(x.target.Authority, err)
}

func unreached(host string, err error) *Refusal {
	var e *wire.Error
	if !errors.As(err, &e) {
		return refuse(UpstreamUnreached, "%s could not be reached.", host).because(err)
	}
	switch e.Stage {
	case "tls":
		return refuse(UpstreamTLS, "the certificate of %s was not accepted. The operator can name its authority in the adapter (upstream.ca).", host).because(err)
	case "address":
		return refuse(UpstreamUnreached, "%s resolves to an address that Byline does not dial (private, loopback or link-local). "+
			"The operator can allow it in byline.yaml (guard.allow).", host).because(err)
	case "proxy":
		return refuse(UpstreamUnreached, "the proxy on the way to %s did not lead there. The operator names it in the adapter or in byline.yaml (upstream.proxy); "+
			"the operator's log has its answer.", host).because(err)
	case "timeout":
		r := refuse(UpstreamUnreached, "%s did not answer in time.", host).because(err)
		r.Status = http.StatusGatewayTimeout
		return r
	}
	return refuse(UpstreamUnreached, "%s could not be reached or did not answer in HTTP (%s).", host, e.Stage).because(err)
}

// renew looks whether the SaaS says that the session is over. It logs in once
// and sends again only what cannot have been acted on: safe methods (RFC 9110
// section 9.2.1). Anything else the agent must decide to send again.
func (x *exchange) renew(ctx context.Context, resp *wire.Response) (*wire.Response, error) {
	if over, err := x.sessionOver(resp); !over || err != nil {
		return resp, err
	}
	closeBody(resp)
	x.hold.lease.Invalidate(x.session)
	if !safe(x.in.Method) && !x.action.Safe || x.in.Body != nil && !x.kept {
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
	if !x.adapter.EndedNeedsBody(resp.Status, resp.Fields) || resp.Body == nil || unending(value(resp.Fields, "Content-Type")) {
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
	resp.Body = &joined{Reader: io.MultiReader(bytes.NewReader(head[:n]), rest), Closer: rest}
	return x.adapter.Ended(resp.Status, resp.Fields, head[:n]), nil
}

// unending is true for answers that say one thing after another for as long as
// they like. None of them is a login page, and holding one back until its
// beginning is whole would hold it for ever.
func unending(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	switch media = strings.ToLower(strings.TrimSpace(media)); media {
	case "text/event-stream", "multipart/x-mixed-replace", "application/x-ndjson", "application/jsonl", "application/json-seq", "application/stream+json":
		return true
	}
	return strings.HasPrefix(media, "application/grpc")
}

type joined struct {
	io.Reader
	io.Closer
}

func newReplay(b []byte) io.Reader { return bytes.NewReader(b) }

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func closeBody(r *wire.Response) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// shield keeps the session on this side: held cookies go to the jar, and what
// was injected and comes back is masked, at its own length, so that lengths,
// ETags and offsets stay true.
func (x *exchange) shield(resp *wire.Response) error {
	resp.Fields = x.adapter.Shield(make([]wire.Field, 0, len(resp.Fields)+1), x.veil, resp.Fields, x.tunnel.host, x.in.Path, x.began)
	resp.Fields = x.adapter.Share(resp.Fields, x.session, x.cookies, x.tunnel.host, x.in.Path, x.began)
	x.hold.noteChange(x.session)
	x.shieldTrailers(resp)
	if resp.Body == nil || !adapters.Maskable(value(resp.Fields, "Content-Type")) {
		return nil
	}
	if x.veil.Masks() {
		resp.Body = &joined{Reader: x.veil.Reader(resp.Body), Closer: resp.Body}
	}
	return nil
}
