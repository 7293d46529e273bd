// Package wire moves bytes and decides nothing. It turns what an agent sends,
// in HTTP/1.1 or HTTP/2, into one neutral Request, gives that to the corridor's
// walk, and writes the Response it gets back; towards the SaaS it sends exactly
// the Request the walk built. Whatever two parsers could read in two ways is
// refused before any parser sees it.
package wire

import (
	"context"
	"io"
	"net/http"
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
	Expect bool
	// TakesTrailers is TE: trailers (RFC 9110 section 10.1.4).
	TakesTrailers bool
	// Announced is the value of Trailer: the names of fields behind the body.
	Announced string
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
	// Trailers may be nil and is valid after Body gave io.EOF. Announced is what
	// Trailer named beforehand.
	Trailers  func() []Field
	Announced string
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
type Door struct {
	// Walk answers one request. ctx ends with the exchange: when the
	// connection is cut, when the agent cancels, or when Serve's ctx ends.
	Walk func(ctx context.Context, in *Request) *Response
	// Malformed answers what no walk may see. On HTTP/1.1 the connection is
	// closed afterwards.
	Malformed func(ctx context.Context, m *Malformed) *Response
}

// Malformed says why a message cannot be carried in one unambiguous form.
type Malformed struct {
	Code   string // "ambiguous_request" or "too_large"
	Status int
	Detail string // for the agent to read: a clause without a full stop; quotes no field values
}

func (m *Malformed) Error() string { return "malformed request: " + m.Detail }

func ambiguous(detail string) *Malformed {
	return &Malformed{Code: "ambiguous_request", Status: http.StatusBadRequest, Detail: detail}
}

func tooSlow(detail string) *Malformed {
	return &Malformed{Code: "ambiguous_request", Status: http.StatusRequestTimeout, Detail: detail}
}

func tooLarge(status int, detail string) *Malformed {
	return &Malformed{Code: "too_large", Status: status, Detail: detail}
}

// Error is why an exchange with the SaaS, or a dial, failed.
type Error struct {
	// Stage is dial, address, proxy, tls, write, head, body, timeout or canceled.
	// address: the name resolves only to what Byline does not dial.
	Stage string
	// Sent is true if some byte of the request may have reached the SaaS: it
	// may have acted on it, and sending it again is not safe.
	Sent bool
	Err  error
}

func (e *Error) Error() string { return "upstream " + e.Stage + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }
