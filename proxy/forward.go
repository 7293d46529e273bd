package proxy

import (
	"context"
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
		return nil, x.unanswered(err)
	}

	isText := adapters.Maskable(wire.Value(resp.Fields, "Content-Type"))
	if isText && resp.Status == http.StatusPartialContent && x.in.Method == http.MethodGet {
		return x.forwardWhole(ctx, resp)
	}
	return x.readable(resp)
}

// forwardWhole asks again for the whole of a text that came back in part. A
// secret that a range cuts in two could otherwise be read piece by piece. RFC
// 9110 section 14.2 allows anyone to ignore Range.
func (x *exchange) forwardWhole(ctx context.Context, part *wire.Response) (*wire.Response, error) {
	closeBody(part)

	fields := make([]wire.Field, 0, len(x.out.Fields))
	for _, f := range x.out.Fields {
		if !strings.EqualFold(f.Name, "Range") && !strings.EqualFold(f.Name, "If-Range") {
			fields = append(fields, f)
		}
	}
	x.out.Fields = fields

	resp, err := x.hold.pool.RoundTrip(ctx, x.target, &x.out)
	if err != nil {
		return nil, x.unanswered(err)
	}
	return x.readable(resp)
}

// readable makes sure that a text can be read by the rules that detect the end
// of a session and by the masker.
func (x *exchange) readable(resp *wire.Response) (*wire.Response, error) {
	coding := wire.Value(resp.Fields, "Content-Encoding")
	if coding == "" {
		return resp, nil
	}
	if err := decode(resp); err != nil {
		return nil, refuse(UpstreamUnreached, "%s answered in the coding %q, which it was not offered and in which secrets cannot be masked.", x.tunnel.host, coding).because(err)
	}
	return resp, nil
}

// unanswered returns the refusal for a round trip that failed: because the task
// ended, because of what the agent sent, or because of the application.
func (x *exchange) unanswered(err error) error {
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}
	if m := upstream.AgentFault(err); m != nil {
		return refuseMalformed(m).because(err)
	}
	return refuseUnreached(x.target.Authority, err)
}
