// Package wire defines what the two HTTP sides of Byline and the request pipeline
// exchange: a neutral request and response, the callbacks that a server calls, the
// errors, and the limits.
//
// Package agents serves connections of agents, in HTTP/1.1 and HTTP/2, and package
// upstream makes round trips to applications. Both carry messages and make no
// decision about them. A message that two parsers could read in two ways is refused
// before the pipeline sees it.
package wire

import (
	"context"
	"io"
	"strings"
)

// Field is a header or trailer field. The name keeps the case in which it was
// received; the value has no surrounding white space.
type Field = struct{ Name, Value string }

// Head is the head of a request, independent of the protocol that carried it. Its
// strings may be kept. Fields is valid until the Done of the exchange's Response
// was called and is reused for the next request after that.
type Head struct {
	// Proto is the protocol that the agent speaks, "HTTP/1.1" or "HTTP/2.0".
	Proto string
	// Method is case-sensitive (RFC 9110 section 9.1).
	Method string
	// Scheme is "http" or "https".
	Scheme string
	// Authority is Host or :authority in lower case, with the port if the agent
	// gave one.
	Authority string
	// Path is not decoded. It begins with "/", or is "*" for OPTIONS.
	Path string
	// Query is not decoded and does not include the "?".
	Query string
	// HasQuery tells "/a?" from "/a".
	HasQuery bool
	// Fields are in the order in which they were received, without Host, the
	// fields that frame the message, Connection, every field that Connection
	// lists, and the other fields that concern a single hop.
	Fields []Field
	// Length is the number of bytes in the body: 0 without a body, -1 if the
	// number is not known in advance.
	Length int64
	// Upgrade is "websocket" if the agent asked for that protocol, otherwise "".
	Upgrade string
	// ProxyAuthorization is set only for requests in absolute form.
	ProxyAuthorization string
	// ExpectContinue reports that the sender waits for 100 Continue before it sends
	// the body. The first read of Body sends it (RFC 9110 section 10.1.1).
	ExpectContinue bool
	// AcceptsTrailers reports that TE lists trailers (RFC 9110 section 10.1.4).
	AcceptsTrailers bool
	// AnnouncedTrailers is the value of Trailer, a list of names.
	AnnouncedTrailers string
}

// Request is a request with its body.
type Request struct {
	Head
	// Body is nil if there is none. It is read by one goroutine at a time.
	Body io.Reader
	// Trailers returns the trailer fields and may be nil. It is called after Body
	// returned io.EOF.
	Trailers func() []Field
	// Interim receives interim responses. If it is nil they are dropped.
	Interim Interim
}

// Interim receives interim responses on their way to the agent, in order and before
// the final response. Statuses 100 and 101 do not arrive here; 102 to 199 do. It is
// called by one goroutine at a time and never after the final response has begun.
type Interim interface {
	Interim(status int, fields []Field)
}

// Response is a response, from an application or to an agent.
type Response struct {
	// Status is the final status code.
	Status int
	// Fields are the header fields, under the rules of Head.Fields.
	Fields []Field
	// Length is the number of bytes in the body, -1 if it is not known in advance.
	// For a HEAD request and for status 304 it is the length that the body would
	// have, and Body is nil.
	Length int64
	// Body is nil if there is none. Whoever writes the response closes it.
	Body io.ReadCloser
	// Trailers returns the trailer fields, valid after Body returned io.EOF. It may
	// be nil.
	Trailers func() []Field
	// AnnouncedTrailers is the value of Trailer, a list of names.
	AnnouncedTrailers string
	// Switched is the byte stream that follows status 101, or 200 to an extended
	// CONNECT. It is a WebSocket without extensions. The server carries the messages
	// between it and the agent's stream, and closes it.
	Switched io.ReadWriteCloser
	// Messages says what happens to the messages of Switched and counts them. If it
	// is nil they are carried as they are. The counts are final when Done is called.
	Messages *Messages
	// Done is called exactly once, after the last byte was written to the agent's
	// connection or the exchange broke. sent counts body bytes to the agent,
	// received body bytes from it. Done may be nil.
	Done func(sent, received int64, err error)
}

// Arriving is a body that knows whether more of it has arrived.
type Arriving interface {
	// HasArrived reports whether the next Read returns without waiting. It may deny
	// although it would.
	HasArrived() bool
}

// WholeBody is the body of a response all of which is in memory.
type WholeBody interface {
	io.ReadCloser
	// Rest returns what has not been read yet. The caller may change its bytes before
	// anybody reads them; the slice is valid until Close.
	Rest() []byte
}

// The protocol by which byline run hands a connection that its own listener accepted to
// the proxy port: OPTIONS * with Upgrade, as RFC 2817 section 3.2 has it for TLS, and the
// task's token. After 101 the connection is the agent's.
const (
	// ConnectionUpgrade is the value of Upgrade.
	ConnectionUpgrade = "byline-connection"
	// DestinationField names the address and port to which the agent connected, if it
	// does not know that it speaks to a proxy.
	DestinationField = "Byline-Destination"
)

// Callbacks are what a server calls for the requests of one connection. Both
// functions may be called concurrently, because HTTP/2 carries requests
// concurrently. If one returns nil, the server closes the connection (HTTP/1.1) or
// resets the stream (HTTP/2) without a response.
type Callbacks struct {
	// Exchange answers a request. ctx ends when the connection is closed, the agent
	// cancels the request, or the context of Serve ends.
	Exchange func(ctx context.Context, in *Request) *Response
	// Malformed answers a message that Exchange must not see. An HTTP/1.1
	// connection is closed after that response.
	Malformed func(ctx context.Context, m *Malformed) *Response
}

// Value returns the value of the first field with the given name, compared without
// regard to case, or "" if there is none.
func Value(fields []Field, name string) string {
	for i := range fields {
		if SameName(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}

// SameName reports whether two names of fields are the same without regard to case.
// Names are ASCII (RFC 9110 section 5.1), so names of two lengths differ, which a walk
// through all fields of a message finds out fastest.
func SameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
