package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// errNotH2 reports that the application chose http/1.1 when it was offered both.
var errNotH2 = errors.New("the application does not speak HTTP/2")

// downloadWindow is how many bytes of one answer may be buffered unread. The window
// of the whole connection is left as large as the library makes it (1 GiB), so
// that agents that have stopped reading do not stop the others.
const downloadWindow = 512 << 10

// newH2 returns the HTTP/2 side of a host. net/http shares its connections and
// streams; Byline dials, makes TLS and chooses every field.
func (h *host) newH2() *http.Transport {
	cfg := &h.pool.cfg
	var protocols http.Protocols
	protocols.SetHTTP2(h.tls2 != nil)
	protocols.SetUnencryptedHTTP2(h.tls2 == nil)

	return &http.Transport{
		Protocols:              &protocols,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    cfg.MaxConns,
		IdleConnTimeout:        cfg.IdleTimeout,
		ResponseHeaderTimeout:  cfg.ResponseHead,
		MaxResponseHeaderBytes: int64(cfg.MaxHeadBytes),
		ExpectContinueTimeout:  cfg.ContinueWait,
		HTTP2: &http.HTTP2Config{
			WriteByteTimeout:          cfg.BodyStall,
			SendPingTimeout:           cfg.BodyStall,
			PingTimeout:               cfg.BodyStall,
			MaxReceiveBufferPerStream: downloadWindow,
		},
		DialContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return h.connect(ctx, nil) },
		DialTLSContext: h.dialH2,
	}
}

// dialH2 returns a connection on which the application chose h2. One on which it
// chose http/1.1 is kept for HTTP/1.1, and the error is errNotH2.
func (h *host) dialH2(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := h.connect(ctx, h.tls2)
	if err != nil {
		return nil, err
	}
	if c.(*tls.Conn).ConnectionState().NegotiatedProtocol == "h2" {
		return c, nil
	}

	h.only1.Store(true)
	select {
	case h.slots <- struct{}{}:
		h.release(newConn(c), true)
	default:
		_ = c.Close()
	}
	return nil, errNotH2
}

// overH2 makes one exchange over HTTP/2. A body that is held is sent again, once, if
// the application says that it has not processed the request.
func (h *host) overH2(ctx context.Context, out *wire.Request) (*wire.Response, error) {
	held, isHeld := out.Body.(*bytes.Reader)
	if !isHeld {
		return h.overH2Once(ctx, out)
	}

	body := *held
	resp, err := h.overH2Once(ctx, out)
	if !isNotProcessed(err) {
		return resp, err
	}
	again := *out
	again.Body = &body
	return h.overH2Once(ctx, &again)
}

// isNotProcessed reports whether the application has said that it has not processed a
// request, which is then safe to send again: its GOAWAY names a lower stream, or it
// refused the stream (RFC 9113 sections 6.8 and 8.7). The library has no values for
// these errors. It sends requests without a body again itself.
func isNotProcessed(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "cannot retry err [http2: Transport received Server's graceful shutdown GOAWAY]") ||
		strings.Contains(text, "cannot retry err [stream error: ") && strings.Contains(text, "; REFUSED_STREAM")
}

// overH2Once makes one exchange over HTTP/2.
func (h *host) overH2Once(ctx context.Context, out *wire.Request) (*wire.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.pool.ctx, func() { cancel(errPoolClosed) })
	end := func() {
		stop()
		cancel(nil)
	}
	x := &h2exchange{h: h, ctx: ctx, cancel: cancel, interim: interimQueue{to: out.Interim, maxFields: h.pool.cfg.MaxFields}}

	req, err := x.request(out)
	if err != nil {
		end()
		return nil, &wire.Error{Stage: wire.StageWrite, Err: err}
	}
	got, err := h.h2.RoundTrip(req)
	x.answered.Store(true)
	x.interim.finish()
	if err != nil {
		err = x.fail(wire.StageHead, err) // before end, which cancels too
		end()
		return nil, err
	}

	resp := &wire.Response{Status: got.StatusCode, Length: got.ContentLength}
	if bad := setFields(resp, got.Header, h.pool.cfg.MaxFields); bad != nil {
		end()
		_ = got.Body.Close()
		return nil, &wire.Error{Stage: wire.StageHead, Sent: true, Err: errors.New(bad.Detail)}
	}
	if out.Method == http.MethodHead || !h1.StatusAllowsBody(got.StatusCode) || got.Body == http.NoBody || got.ContentLength == 0 {
		end()
		_ = got.Body.Close()
		return resp, nil
	}

	resp.Trailers = func() []wire.Field { return h1.TrailerFields(got.Trailer) }
	s := &h2body{x: x, from: got.Body, end: end, stall: h.pool.cfg.AnswerStall}
	if resp.Length > 0 && resp.Length <= int64(h.pool.cfg.KeepBody) {
		return s.readWhole(resp)
	}
	resp.Body = s
	return resp, nil
}

// readWhole reads a short body. It reads up to the end of the stream, because only
// then are the trailers there.
func (s *h2body) readWhole(resp *wire.Response) (*wire.Response, error) {
	body := newBufferedBody(resp.Length)
	_, err := io.ReadFull(s, body.left)
	if err == nil {
		var one [1]byte
		_, _ = s.Read(one[:])
	} else {
		err = s.x.fail(wire.StageBody, h1.UnexpectedEOF(err)) // before Close, which cancels too
	}
	_ = s.Close()
	if err != nil {
		_ = body.Close()
		return nil, err
	}

	resp.Body = body
	return resp, nil
}

// h2exchange is one request on one stream.
type h2exchange struct {
	h       *host
	ctx     context.Context
	cancel  context.CancelCauseFunc
	sent    atomic.Bool // the request was given a connection
	broken  atomic.Pointer[agentError]
	interim interimQueue

	heard    atomic.Int32 // heardNothing and so on; set only if there is a body
	answered atomic.Bool  // the library has returned an answer or an error
}

// What the application has answered so far.
const (
	heardNothing = iota
	heardInterim // and perhaps an answer, which the library does not report
	heardAnswer  // the answer, or its first byte
)

// errStreamEnded reports that the application ended the stream, or the connection,
// before it had answered or taken the whole body.
var errStreamEnded = errors.New("the application ended the exchange before the request was complete")

// answerGrace is how long the library may take to return an answer that it has.
const answerGrace = time.Second

// uploadClosed ends an exchange that the library would end only once the agent has
// sent more, because it waits for a Read of the body to return.
func (x *h2exchange) uploadClosed() {
	switch x.heard.Load() {
	case heardNothing:
		x.cancel(errStreamEnded)
	case heardInterim:
		time.AfterFunc(answerGrace, func() {
			if !x.answered.Load() {
				x.cancel(errStreamEnded)
			}
		})
	}
}

// request returns out in the form of net/http. URL.Opaque carries the path without
// changing it.
func (x *h2exchange) request(out *wire.Request) (*http.Request, error) {
	key := x.h.key
	u := &url.URL{Scheme: key.scheme, Host: x.h.addr, Opaque: "//" + key.authority + out.Path, RawQuery: out.Query, ForceQuery: out.HasQuery}
	if out.Path == "*" {
		u.Opaque = "*"
	}

	header := make(http.Header, len(out.Fields)+1)
	if err := h1.AddToHeader(header, out.Fields); err != nil {
		return nil, err
	}
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = nil // keeps net/http from adding its own
	}
	if out.AcceptsTrailers {
		header["Te"] = []string{"trailers"}
	}
	if out.ExpectContinue && out.Body != nil {
		header["Expect"] = []string{"100-continue"}
	}

	req := &http.Request{Method: out.Method, URL: u, Host: key.authority, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if out.Body != nil {
		req.Body = &h2upload{x: x, out: out, req: req}
		req.ContentLength = out.Length
		if out.Trailers != nil {
			req.Trailer = announcedTrailers(out.AnnouncedTrailers)
		}
	}
	return req.WithContext(x.traced(out.Body != nil)), nil
}

// fail returns err with its stage. It must be called before the exchange's context
// is cancelled by its regular end.
func (x *h2exchange) fail(stage wire.Stage, err error) error {
	sent := x.sent.Load()
	var staged *wire.Error
	switch {
	case x.h.pool.ctx.Err() != nil:
		return &wire.Error{Stage: wire.StageCanceled, Sent: sent, Err: errPoolClosed}
	case errors.Is(err, errNotH2):
		return &wire.Error{Stage: wire.StageTLS, Err: errNotH2}
	case errors.As(err, &staged):
		return staged
	case context.Cause(x.ctx) == errStreamEnded:
		return &wire.Error{Stage: stage, Sent: true, Err: errStreamEnded}
	case x.ctx.Err() != nil:
		return &wire.Error{Stage: stageOf(x.ctx, x.ctx.Err(), wire.StageCanceled), Sent: sent, Err: context.Cause(x.ctx)}
	case x.broken.Load() != nil:
		return &wire.Error{Stage: wire.StageBody, Sent: sent, Err: x.broken.Load()}
	case netconn.IsTimeout(err):
		stage = wire.StageTimeout
	}
	return &wire.Error{Stage: stage, Sent: sent, Err: err}
}

// h2upload is the agent's body on its way to the application. At its end it fills
// in the trailers.
type h2upload struct {
	x       *h2exchange
	out     *wire.Request
	req     *http.Request
	reading atomic.Bool // a Read is in progress, which may have to wait for the agent
	closed  atomic.Bool // the application does not want more of it
}

func (u *h2upload) Read(p []byte) (int, error) {
	u.reading.Store(true)
	defer u.reading.Store(false)
	if u.closed.Load() {
		return 0, h1.ErrBodyOver
	}

	n, err := u.out.Body.Read(p)
	switch {
	case err == io.EOF:
		if u.out.Trailers != nil {
			_ = h1.AddToHeader(u.req.Trailer, u.out.Trailers())
		}
	case err != nil:
		ofAgent := &agentError{err}
		u.x.broken.Store(ofAgent)
		err = ofAgent
	}
	return n, err
}

// Close is called by the library when it wants no more of the body: there is an
// answer, or the stream is over.
func (u *h2upload) Close() error {
	u.closed.Store(true)
	if u.reading.Load() {
		u.x.uploadClosed()
	}
	return nil
}

// h2body is an answer's body. A Read that waits too long ends the exchange.
type h2body struct {
	x     *h2exchange
	from  io.ReadCloser
	end   func()
	stall time.Duration
	timer *time.Timer // nil before the first Read
	late  atomic.Bool
}

func (s *h2body) Read(p []byte) (int, error) {
	if s.timer == nil {
		s.timer = time.AfterFunc(s.stall, func() {
			s.late.Store(true)
			s.x.cancel(context.DeadlineExceeded)
		})
	} else {
		s.timer.Reset(s.stall)
	}
	n, err := s.from.Read(p)
	s.timer.Stop()

	switch {
	case err == nil || err == io.EOF:
		return n, err
	case s.late.Load():
		return n, &wire.Error{Stage: wire.StageTimeout, Sent: true, Err: err}
	}
	return n, s.x.fail(wire.StageBody, err)
}

// Close ends the exchange first: closing the stream waits for the request's body,
// which may be waiting for the agent.
func (s *h2body) Close() error {
	s.end()
	return s.from.Close()
}

// announcedTrailers returns the names of the trailers to come, without values. The
// library announces them; some receivers accept no others.
func announcedTrailers(names string) http.Header {
	h := http.Header{}
	h1.EachListMember(names, func(name string) bool {
		if h1.IsToken(name) && !h1.ForbiddenInTrailer(name) {
			h[http.CanonicalHeaderKey(name)] = nil
		}
		return true
	})
	return h
}

// setFields checks an answer's header and sets the fields of resp from it.
func setFields(resp *wire.Response, h http.Header, maxFields int) *wire.Malformed {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	if n > maxFields {
		return wire.TooLarge(http.StatusRequestHeaderFieldsTooLarge, "the answer has too many fields")
	}

	resp.Fields = make([]wire.Field, 0, n)
	for name, values := range h {
		for _, v := range values {
			if bad := h1.CheckField(name, v); bad != nil {
				return bad
			}
			role := h1.RoleOf(name)
			if role == h1.RoleEndToEnd || role == h1.RoleContentType {
				resp.Fields = append(resp.Fields, wire.Field{Name: name, Value: v})
			}
		}
	}
	h1.SortFields(resp.Fields)
	return nil
}
