package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
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

	if !isPart(resp) || !x.mayBeText(resp) {
		return x.readable(resp)
	}
	if x.in.Method == http.MethodGet && resp.Status == http.StatusPartialContent {
		return x.forwardWhole(ctx, resp)
	}
	return nil, x.refusePart(resp)
}

// forwardWhole asks again for the whole of a text that came back in part. A
// secret that a range cuts in two could otherwise be read piece by piece. RFC
// 9110 section 14.2 allows anyone to ignore Range.
func (x *exchange) forwardWhole(ctx context.Context, part *wire.Response) (*wire.Response, error) {
	closeBody(part)
	x.out.Fields = slices.DeleteFunc(slices.Clone(x.out.Fields), asksForPart)

	resp, err := x.hold.pool.RoundTrip(ctx, x.target, &x.out)
	if err != nil {
		return nil, x.unanswered(err)
	}
	if isPart(resp) {
		return nil, x.refusePart(resp)
	}
	return x.readable(resp)
}

// refusePart discards a part of a text and returns the refusal for it.
func (x *exchange) refusePart(resp *wire.Response) error {
	closeBody(resp)
	return refuse(UpstreamUnreached, "%s answered with a part of a text (status %d), in which secrets cannot be masked. Ask for the whole of it.", x.tunnel.host, resp.Status)
}

// asksForPart reports whether a field asks for a part of a representation, or for
// what changed in it (RFC 9110 section 14, RFC 3229).
func asksForPart(f wire.Field) bool {
	for _, name := range [...]string{"Range", "If-Range", "Request-Range", "A-IM"} {
		if wire.SameName(f.Name, name) {
			return true
		}
	}
	return false
}

// isPart reports whether an answer holds only a part of a representation, or what
// changed in it.
func isPart(resp *wire.Response) bool {
	ranged := resp.Status == http.StatusPartialContent || resp.Status == http.StatusIMUsed
	for i := range resp.Fields {
		f := &resp.Fields[i]
		if wire.SameName(f.Name, "IM") {
			return true
		}
		if wire.SameName(f.Name, "Content-Type") && hasParts(f.Value) {
			return true // whatever its status says
		}
		if wire.SameName(f.Name, "Content-Range") {
			if resp.Status == http.StatusRequestedRangeNotSatisfiable {
				continue // its body is an error page
			}
			if !isWholeRange(f.Value) {
				return true
			}
			ranged = resp.Status == http.StatusIMUsed
		}
	}
	return ranged
}

// hasParts reports whether a content type is that of several ranges (RFC 9110 section
// 14.6).
func hasParts(contentType string) bool {
	const ranges = "multipart/byteranges"
	contentType = strings.TrimLeft(contentType, " \t")
	return len(contentType) >= len(ranges) && strings.EqualFold(contentType[:len(ranges)], ranges)
}

// isWholeRange reports whether a Content-Range covers all bytes.
func isWholeRange(value string) bool {
	span, size, ok := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	first, last, isSpan := strings.Cut(span, "-")
	if !ok || !isSpan || first != "0" {
		return false
	}
	end, endErr := strconv.ParseInt(last, 10, 64)
	all, sizeErr := strconv.ParseInt(size, 10, 64)
	return endErr == nil && sizeErr == nil && end == all-1
}

// mayBeText reports whether a part of a representation is text. If its type says
// otherwise, its first bytes decide.
func (x *exchange) mayBeText(resp *wire.Response) bool {
	if resp.Body == nil {
		return false
	}
	if isText(resp.Fields) {
		return true
	}

	start := make([]byte, 64)
	n, _ := io.ReadFull(resp.Body, start) // the relay finds the error again
	body := resp.Body
	resp.Body = &replacedBody{Reader: &prefixedBody{start[:n], body}, Closer: body}
	return n > 0 && !adapters.LooksBinary(start[:n])
}

// readable makes sure that a text can be read by the rules that detect the end
// of a session and by the masker.
func (x *exchange) readable(resp *wire.Response) (*wire.Response, error) {
	if resp.Body != nil && isText(resp.Fields) {
		for _, f := range resp.Fields {
			if !wire.SameName(f.Name, "Content-Type") {
				continue
			}
			if charset, ok := adapters.ReadableCharset(f.Value); !ok {
				closeBody(resp)
				return nil, refuse(UpstreamUnreached, "%s answered in the character set %q, in which secrets cannot be masked.", x.tunnel.host, charset)
			}
		}
	}

	codings := contentCodings(resp.Fields)
	if len(codings) == 0 {
		return resp, nil
	}
	if err := decode(resp); err != nil {
		return nil, refuse(UpstreamUnreached, "%s answered in the coding %q, which it was not offered and in which secrets cannot be masked.", x.tunnel.host, strings.Join(codings, ", ")).because(err)
	}
	return resp, nil
}

// unanswered returns the refusal for a round trip that failed: because the task
// ended, because of what the agent sent, or because of the application.
func (x *exchange) unanswered(err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r // of the body, while it was sent
	}
	if over := x.tunnel.task.Active(); over != nil {
		return refuseEnded(over)
	}
	if m := upstream.AgentFault(err); m != nil {
		r := refuseMalformed(m).because(err)
		r.Code = codeOfAgentFault(err)
		return r
	}
	return refuseUnreached(x.target.Authority, err)
}

// codeOfAgentFault returns the code for a body of which upstream.AgentFault says that
// the agent broke it off. An agent that closed only one direction of its connection
// still reads the answer.
func codeOfAgentFault(err error) Code {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return AgentGone
	}
	return Code(upstream.AgentFault(err).Code)
}
