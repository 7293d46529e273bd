package agents

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/xconnect"
)

func init() { xconnect.Restore() }

// Receive windows in bytes (RFC 9113 section 5.2). A stream whose reader has
// stopped fills its own and no more; the connection's holds many such streams, so
// that they do not stop the others on it.
const (
	streamWindow = 256 << 10
	uploadWindow = 64 * streamWindow
)

// setUpH2 makes the HTTP/2 side: one Server for all connections. The library
// takes its bounds from an http.Server, which is never asked to listen.
func (s *Server) setUpH2() {
	s.h2 = &http2.Server{}
	s.web = &http.Server{MaxHeaderBytes: headSlack * s.cfg.MaxHeadBytes, IdleTimeout: s.cfg.IdleTimeout, ErrorLog: log.New(panics{}, "", 0),
		HTTP2: &http.HTTP2Config{MaxReadFrameSize: 16 << 10, // a connection keeps room for its largest frame
			MaxConcurrentStreams: s.cfg.MaxStreams, WriteByteTimeout: s.cfg.BodyStall,
			SendPingTimeout: s.cfg.IdleTimeout, PingTimeout: s.cfg.BodyStall,
			MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: uploadWindow}}
	if err := http2.ConfigureServer(s.web, s.h2); err != nil {
		panic("wire: " + err.Error()) // only for a TLS configuration, and there is none
	}
}

// headSlack is how many times the bound on a head the library takes before it
// says no in its own words, or with a reset: what is less gets our answer.
const headSlack = 4

// within is FromHTTP within the bounds of a head.
func (s *Server) within(r *http.Request) (*wire.Request, *wire.Malformed) {
	n, size := 0, len(r.Method)+len(r.RequestURI)+len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n++
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	switch {
	case n > s.cfg.MaxFields:
		return nil, wire.TooLarge(431, "there are too many fields")
	case size > s.cfg.MaxHeadBytes:
		return nil, wire.TooLarge(431, "the head is too large")
	}
	return fromHTTP(r)
}

// panics passes on what the library says of a panic, which is ours. What else it
// says, an agent makes it say, as often as the agent likes.
type panics struct{}

func (panics) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic serving")) {
		return os.Stderr.Write(line)
	}
	return len(line), nil
}

func (s *Server) serveH2(ctx context.Context, conn net.Conn, scheme string, door wire.Callbacks) error {
	c := s.newAgent2(ctx, conn, door)
	conn = c
	if _, ok := c.Conn.(*tls.Conn); ok {
		conn = secured2{c}
	}
	s.h2.ServeConn(conn, &http2.ServeConnOpts{Context: ctx, BaseConfig: s.web,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			head := c.take(r.RequestURI)
			if head == nil { // the stream is over already
				panic(http.ErrAbortHandler)
			}
			x := &h2Stream{s: s, door: door, w: w, r: r, scheme: scheme, method: head.Method, conn: c, stream: head.stream}
			x.serve(head.request(r, func() {
				c.mu.Lock()
				c.breaks(head.stream)
				c.mu.Unlock()
			}))
		})})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// ServeRequest answers one request that net/http has parsed from HTTP/1.1, in the way of
// streams: what comes is passed on as it comes, and an answer that breaks off
// ends the connection (it panics with http.ErrAbortHandler, as a Handler may).
// The connection is under Guard; a WebSocket takes it over. r's context is the
// exchange's.
func (s *Server) ServeRequest(w http.ResponseWriter, r *http.Request, scheme string, door wire.Callbacks) {
	x := &h2Stream{s: s, door: door, w: w, r: r, scheme: scheme, method: r.Method}
	in, bad := s.within(r)
	if bad == nil && in.Body != nil {
		in.ExpectContinue = strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	}
	x.serve(in, bad)
}

// h2 is one stream of an agent.
type h2Stream struct {
	s       *Server
	door    wire.Callbacks
	w       http.ResponseWriter
	r       *http.Request
	scheme  string
	method  string
	conn    *h2Conn // nil for what another parser took (ServeRequest)
	stream  uint32
	body    *streamBody
	joined  int64    // bytes from the agent after a switch
	writing patience // of one write
}

func (x *h2Stream) serve(in *wire.Request, bad *wire.Malformed) {
	ctl := http.NewResponseController(x.w)
	x.writing = patience{d: x.s.cfg.BodyStall, set: ctl.SetWriteDeadline}
	defer x.writing.end()
	ctx := x.r.Context()
	if bad != nil {
		x.answer(x.door.Malformed(ctx, bad))
		return
	}
	in.Scheme, in.Interim = x.scheme, x
	if in.Body != nil {
		x.body = newStreamBody(in.Body, ctl, x.s.cfg.BodyStall)
		defer x.body.wait.end()
		in.Body = x.body
	}
	x.answer(x.door.Exchange(ctx, in))
}

// answer writes resp. http.ErrAbortHandler resets the stream: that is how an
// answer breaks off.
func (x *h2Stream) answer(resp *wire.Response) {
	if resp == nil {
		panic(http.ErrAbortHandler)
	}
	if resp.Switched != nil && x.conn == nil {
		x.takeOver(resp)
		return
	}
	var sent int64
	err := errors.New("wire: the exchange was abandoned")
	defer func() { closeAnswer(resp, sent, x.received(), err) }()
	if resp.Switched != nil {
		var halved bool
		if sent, x.joined, halved, err = x.join(resp); halved {
			panic(http.ErrAbortHandler)
		}
	} else if err = x.head(resp); err == nil && resp.Body != nil && x.method != http.MethodHead && h1.StatusAllowsBody(resp.Status) {
		sent, err = x.relay(resp)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x.trailers(resp)
}

// Interim writes an interim answer (RFC 9110 section 15.2).
func (x *h2Stream) Interim(status int, fields []wire.Field) {
	h := x.w.Header()
	defer clear(h)
	if h1.AddToHeader(h, fields) == nil {
		x.w.WriteHeader(status)
	}
}

func (x *h2Stream) received() int64 {
	if x.body == nil {
		return x.joined
	}
	return x.body.n.Load()
}

func (x *h2Stream) head(resp *wire.Response) error {
	if resp.Status < 200 || resp.Status > 999 {
		return errors.New("wire: the answer has no status")
	}
	h := x.w.Header()
	if err := h1.AddToHeader(h, resp.Fields); err != nil {
		return err
	}
	// Nothing may be made up: an absent field is told from an empty one by nil.
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	if resp.Length >= 0 && resp.Status != http.StatusNoContent && (resp.Length > 0 || resp.Status != http.StatusNotModified) {
		h["Content-Length"] = []string{strconv.FormatInt(resp.Length, 10)}
	}
	x.w.WriteHeader(resp.Status)
	return nil
}

// relay passes the body on read by read; what the source holds back for a
// while must not lie in our buffers.
func (x *h2Stream) relay(resp *wire.Response) (sent int64, err error) {
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)
	out := h2out{x: x, ctl: http.NewResponseController(x.w), flushes: resp.Length < 0 || resp.Length > int64(len(buf))}
	if resp.Length < 0 {
		if err := out.ctl.Flush(); err != nil {
			return 0, err
		}
	}
	for resp.Length < 0 || sent < resp.Length {
		room := buf[:]
		if left := resp.Length - sent; resp.Length >= 0 && left < int64(len(room)) {
			room = room[:left]
		}
		n, rerr := resp.Body.Read(room)
		if n > 0 {
			if err := out.write(room[:n], rerr == nil); err != nil {
				return sent, err
			}
			sent += int64(n)
		}
		switch {
		case rerr == io.EOF && resp.Length >= 0 && sent < resp.Length:
			return sent, errShort
		case rerr == io.EOF:
			return sent, nil
		case rerr != nil:
			return sent, rerr
		}
	}
	if resp.Trailers != nil {
		_, _ = resp.Body.Read(buf[:1]) // up to the end: only then are trailers there
	}
	return sent, nil
}

// h2out is a stream's writing side while a body is relayed. A write waits for
// the agent to make room, but no longer than a stall.
type h2out struct {
	x       *h2Stream
	ctl     *http.ResponseController
	flushes bool
}

func (o *h2out) write(p []byte, more bool) error {
	o.x.writing.start()
	defer o.x.writing.stop()
	_, err := o.x.w.Write(p)
	if err == nil && o.flushes && more {
		err = o.ctl.Flush()
	}
	return err
}

func (x *h2Stream) trailers(resp *wire.Response) {
	if resp.Trailers == nil {
		return
	}
	for _, f := range resp.Trailers() {
		if !h1.ForbiddenInTrailer(f.Name) && h1.CheckField(f.Name, f.Value) == nil {
			x.w.Header().Add(http.TrailerPrefix+http.CanonicalHeaderKey(f.Name), f.Value)
		}
	}
}
