package proxy

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// forward makes one round trip over the lease's own connections.
func (x *exchange) forward(ctx context.Context) (*wire.Response, error) {
	resp, err := x.hold.pool.RoundTrip(ctx, x.target, &x.out)
	if err != nil {
		return nil, x.unreached(ctx, err)
	}
	if resp.Status == http.StatusPartialContent && adapters.Maskable(fieldValue(resp.Fields, "Content-Type")) && x.in.Method == http.MethodGet {
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
	coding := fieldValue(resp.Fields, "Content-Encoding")
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
	if m := upstream.AgentFault(err); m != nil {
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
	case wire.StageTLS:
		return refuse(UpstreamTLS, "the certificate of %s was not accepted. The operator can name its authority in the adapter (upstream.ca).", host).because(err)
	case wire.StageAddress:
		return refuse(UpstreamUnreached, "%s resolves to an address that Byline does not dial (private, loopback or link-local). "+
			"The operator can allow it in byline.yaml (guard.allow).", host).because(err)
	case wire.StageProxy:
		return refuse(UpstreamUnreached, "the proxy on the way to %s did not lead there. The operator names it in the adapter or in byline.yaml (upstream.proxy); "+
			"the operator's log has its answer.", host).because(err)
	case wire.StageTimeout:
		r := refuse(UpstreamUnreached, "%s did not answer in time.", host).because(err)
		r.Status = http.StatusGatewayTimeout
		return r
	}
	return refuse(UpstreamUnreached, "%s could not be reached or did not answer in HTTP (%s).", host, e.Stage).because(err)
}
