// Package wire moves bytes and decides nothing. It turns what an agent sends,
// in HTTP/1.1 or HTTP/2, into one neutral Request, gives that to the corridor's
// walk, and writes the Response it gets back; towards the SaaS it sends exactly
// the Request the walk built. Whatever two parsers could read in two ways is
// refused before any parser sees it.
package wire

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
)

// Field is one header or trailer field as it was received: the name keeps its
// case, the value has no surrounding white space.
type Field = struct{ Name, Value string }

// Head is a request's head in neutral form, whatever protocol carried it.
// Strings stay valid for as long as they are kept; Fields is lent until the
// walk's Response is done, and is then used again for the next request.
type Head struct {
	// Proto is "HTTP/1.1" or "HTTP/2.0": what the agent speaks.
	Proto string
	// Method is case-sensitive (RFC 9110 section 9.1); Scheme is "http" or
	// "https"; Authority is as the agent named it (Host or :authority), in
	// lower case, with the port if it gave one.
	Method, Scheme, Authority string
	// Path is undecoded and begins with "/", or is "*" for OPTIONS.
	Path string
	// Query is undecoded and without its "?"; HasQuery tells "/a?" from "/a".
	Query    string
	HasQuery bool
	// Fields come in the order received, without Host, Connection and every
	// field that it lists, and the other fields that concern one hop.
	Fields []Field
	// Length is 0 without a body, -1 if it is not known in advance, and
	// otherwise the exact count of bytes.
	Length int64
	// Upgrade is "websocket" if the agent asked to switch, otherwise "".
	Upgrade string
	// ProxyAuthorization is set for absolute-form requests alone.
	ProxyAuthorization string
	// Expect: whoever sends the body waits for 100 Continue, which the first
	// read of Body gives it (RFC 9110 section 10.1.1).
	ExpectContinue bool
	// AcceptsTrailers is TE: trailers (RFC 9110 section 10.1.4).
	AcceptsTrailers bool
	// AnnouncedTrailers is the value of Trailer: the names of fields behind the body.
	AnnouncedTrailers string
}

// Request is one request. Body is nil when there is none; it is read by one
// goroutine at a time. Trailers may be nil and is to be called after Body gave
// io.EOF.
type Request struct {
	Head
	Body     io.Reader
	Trailers func() []Field
	// Interim may be nil: then interim answers are dropped.
	Interim Interim
}

// Interim takes interim answers (102 to 199; 101 and 100 are the wire's own
// affair) on their way to the agent, in order and before the answer itself. It is
// called by one goroutine at a time, and never once the answer is on its way.
type Interim interface {
	Interim(status int, fields []Field)
}

// Response is one answer, to the agent or from the SaaS.
type Response struct {
	Status int
	Fields []Field
	// Length is -1 if it is not known in advance. In an answer to HEAD and in
	// a 304 it is what a body would have had, and Body is nil.
	Length int64
	Body   io.ReadCloser
	// Trailers may be nil and is valid after Body gave io.EOF. AnnouncedTrailers is what
	// Trailer named beforehand.
	Trailers  func() []Field
	AnnouncedTrailers string
	// Switched is set with Status 101, or 200 to an extended CONNECT: from
	// then on the two byte streams are joined. Whoever gets it closes it.
	Switched io.ReadWriteCloser
	// Messages may be nil. Otherwise the wire counts there the messages of the
	// WebSocket that Switched became, up to the time of Done.
	Messages *Messages
	// Done may be nil. The wire calls it exactly once, after the last byte was
	// handed to the agent's connection or the exchange broke: sent is body bytes
	// to the agent, received is body bytes from it.
	Done func(sent, received int64, err error)
}

// Door is the corridor's side of one tunnel. Both functions may be called by
// many goroutines at once (HTTP/2); a nil answer ends the connection.
type Callbacks struct {
	// Walk answers one request. ctx ends with the exchange: when the
	// connection is cut, when the agent cancels, or when Serve's ctx ends.
	Exchange func(ctx context.Context, in *Request) *Response
	// Malformed answers what no walk may see. On HTTP/1.1 the connection is
	// closed afterwards.
	Malformed func(ctx context.Context, m *Malformed) *Response
}

// Messages counts whole messages of a WebSocket: Up from the agent, Down to it.
// Control frames are none.
type Messages struct{ FromAgent, ToAgent atomic.Int64 }

// first is the first field of that name, or "".
func Value(fields []Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}
