package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// errNotH2: the SaaS chose http/1.1 when it was offered both.
var errNotH2 = errors.New("the SaaS does not speak HTTP/2")

// downloadWindow is how many bytes of one answer may lie here unread. The window
// of the whole connection is left as large as the library makes it (1 GiB), so
// that agents who have stopped reading do not stop the others.
const downloadWindow = 512 << 10

// newH2 is the HTTP/2 side of a host: net/http shares its connections and
// streams; dialling, TLS and every field are ours.
func (h *host) newH2() *http.Transport {
	cfg := &h.pool.cfg
	var protocols http.Protocols
	protocols.SetHTTP2(h.tls2 != nil)
	protocols.SetUnencryptedHTTP2(h.tls2 == nil)
	return &http.Transport{
		Protocols: &protocols, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: cfg.MaxConns, IdleConnTimeout: cfg.IdleTimeout, ResponseHeaderTimeout: cfg.ResponseHead,
		MaxResponseHeaderBytes: int64(cfg.MaxHeadBytes),
		HTTP2: &http.HTTP2Config{WriteByteTimeout: cfg.BodyStall, SendPingTimeout: cfg.BodyStall, PingTimeout: cfg.BodyStall,
			MaxReceiveBufferPerStream: downloadWindow},
		ExpectContinueTimeout: cfg.ContinueWait,
		DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return h.connect(ctx, nil) },
		DialTLSContext:        h.dialH2,
	}
}

// dialH2 gives a connection on which the SaaS chose h2. One on which it chose
// http/1.1 is kept for that.
func (h *host) dialH2(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := h.connect(ctx, h.tls2)
	if err != nil {
		return nil, err
	}
	if conn.(*tls.Conn).ConnectionState().NegotiatedProtocol == "h2" {
		return conn, nil
	}
	h.only1.Store(true)
	select {
	case h.slots <- struct{}{}:
		h.give(newUpconn(conn), true)
	default:
		_ = conn.Close()
	}
	return nil, errNotH2
}

// overH2 makes one exchange over HTTP/2.
func (h *host) overH2(ctx context.Context, out *wire.Request) (*wire.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.pool.ctx, func() { cancel(errPoolClosed) })
	end := func() { stop(); cancel(nil) }
	x := &h2exchange{h: h, ctx: ctx, cancel: cancel, hints: hints{to: out.Interim, maxFields: h.pool.cfg.MaxFields}}
	req, err := x.request(out)
	if err != nil {
		end()
		return nil, &wire.Error{Stage: wire.StageWrite, Err: err}
	}
	got, err := h.h2.RoundTrip(req)
	x.answered.Store(true)
	x.hints.end()
	if err != nil {
		err = x.fail(wire.StageHead, err) // before end, which cancels too
		end()
		return nil, err
	}
	resp := &wire.Response{Status: got.StatusCode, Length: got.ContentLength}
	if bad := fromHeader(resp, got.Header, h.pool.cfg.MaxFields); bad != nil {
		end()
		_ = got.Body.Close()
		return nil, &wire.Error{Stage: wire.StageHead, Sent: true, Err: errors.New(bad.Detail)}
	}
	if out.Method == http.MethodHead || !h1.StatusAllowsBody(got.StatusCode) || got.Body == http.NoBody || got.ContentLength == 0 {
		end()
		_ = got.Body.Close()
		return resp, nil
	}
	s := &h2stream{x: x, rc: got.Body, end: end, stall: h.pool.cfg.AnswerStall}
	resp.Trailers = func() []wire.Field { return h1.TrailerFields(got.Trailer) }
	if resp.Length > 0 && resp.Length <= int64(h.pool.cfg.KeepBody) {
		k := newKept(resp.Length)
		_, err := io.ReadFull(s, k.left)
		if err == nil {
			var one [1]byte // up to the end: only then are trailers there
			_, _ = s.Read(one[:])
		}
		if err != nil {
			err = x.fail(wire.StageBody, h1.UnexpectedEOF(err)) // before Close, which cancels too
		}
		_ = s.Close()
		if err != nil {
			_ = k.Close()
			return nil, err
		}
		resp.Body = k
		return resp, nil
	}
	resp.Body = s
	return resp, nil
}

type h2exchange struct {
	h      *host
	ctx    context.Context
	cancel context.CancelCauseFunc
	sent   atomic.Bool
	broken atomic.Pointer[agentError]
	hints  hints

	heard    atomic.Int32 // nothing, interim or something; only where there is a body
	answered atomic.Bool  // the library has given an answer or an error
}

// What the SaaS has said so far.
const (
	nothing   = iota
	interim   // and perhaps an answer, which the library does not tell of
	something // the answer, or what comes ahead of it
)

// errStreamOver: the SaaS ended the stream, or the connection, before it had
// answered or taken the whole body.
var errStreamOver = errors.New("the SaaS ended the exchange before the request was whole")

// afterInterim is how long the library may take to give an answer that it has.
const afterInterim = time.Second

// over ends an exchange that the library would only end once the agent has sent
// more, for it waits for the body's Read.
func (x *h2exchange) over() {
	switch x.heard.Load() {
	case nothing:
		x.cancel(errStreamOver)
	case interim:
		time.AfterFunc(afterInterim, func() {
			if !x.answered.Load() {
				x.cancel(errStreamOver)
			}
		})
	}
}

// request is out in net/http's form. Opaque carries the path as it is.
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
		header["User-Agent"] = nil // none of our own
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
			req.Trailer = announcedHeader(out.AnnouncedTrailers)
		}
	}
	return req.WithContext(x.traced(out.Body != nil)), nil
}

// fail names the stage of what the library says.
func (x *h2exchange) fail(stage wire.Stage, err error) error {
	var own *wire.Error
	sent := x.sent.Load()
	switch {
	case x.h.pool.ctx.Err() != nil:
		return &wire.Error{Stage: wire.StageCanceled, Sent: sent, Err: errPoolClosed}
	case errors.Is(err, errNotH2):
		return &wire.Error{Stage: wire.StageTLS, Err: errNotH2}
	case errors.As(err, &own):
		return own
	case context.Cause(x.ctx) == errStreamOver:
		return &wire.Error{Stage: stage, Sent: true, Err: errStreamOver}
	case x.ctx.Err() != nil:
		return &wire.Error{Stage: stageOf(x.ctx, x.ctx.Err(), wire.StageCanceled), Sent: sent, Err: context.Cause(x.ctx)}
	case x.broken.Load() != nil:
		return &wire.Error{Stage: wire.StageBody, Sent: sent, Err: x.broken.Load()}
	case netconn.IsTimeout(err):
		stage = wire.StageTimeout
	}
	return &wire.Error{Stage: stage, Sent: sent, Err: err}
}

// h2upload is the agent's body on its way. It fills the trailers in at its end.
type h2upload struct {
	x      *h2exchange
	out    *wire.Request
	req    *http.Request
	reads  atomic.Bool // a Read is under way, which may have to wait for the agent
	closed atomic.Bool // the SaaS does not want it: it must not be asked for any more
}

func (u *h2upload) Read(p []byte) (int, error) {
	u.reads.Store(true)
	defer u.reads.Store(false)
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
		own := &agentError{err}
		u.x.broken.Store(own)
		err = own
	}
	return n, err
}

// Close is how the library says that it wants no more: there is an answer, or the
// stream is over.
func (u *h2upload) Close() error {
	u.closed.Store(true)
	if u.reads.Load() {
		u.x.over()
	}
	return nil
}

// h2stream is an answer's body. A read that waits too long ends the exchange.
type h2stream struct {
	x     *h2exchange
	rc    io.ReadCloser
	end   func()
	stall time.Duration
	timer *time.Timer
	late  atomic.Bool
}

func (s *h2stream) Read(p []byte) (int, error) {
	if s.timer == nil {
		s.timer = time.AfterFunc(s.stall, func() { s.late.Store(true); s.x.cancel(context.DeadlineExceeded) })
	} else {
		s.timer.Reset(s.stall)
	}
	n, err := s.rc.Read(p)
	s.timer.Stop()
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case s.late.Load():
		return n, &wire.Error{Stage: wire.StageTimeout, Sent: true, Err: err}
	}
	return n, s.x.fail(wire.StageBody, err)
}

func (s *h2stream) Close() error {
	s.end() // first: closing waits for the request's body, which may be waiting for the agent
	return s.rc.Close()
}

// announcedHeader has the names that are to come behind the body, with no values
// yet. The library announces them; there are receivers that take no other.
func announcedHeader(names string) http.Header {
	h := http.Header{}
	h1.EachListMember(names, func(name string) bool {
		if h1.IsToken(name) && !h1.ForbiddenInTrailer(name) {
			h[http.CanonicalHeaderKey(name)] = nil
		}
		return true
	})
	return h
}

// fromHeader checks and flattens an answer's header.
func fromHeader(resp *wire.Response, h http.Header, maxFields int) *wire.Malformed {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	if n > maxFields {
		return wire.TooLarge(431, "the answer has too many fields")
	}
	resp.Fields = make([]wire.Field, 0, n)
	for name, values := range h {
		for _, v := range values {
			if bad := h1.CheckField(name, v); bad != nil {
				return bad
			}
			if m := h1.RoleOf(name); m == h1.RoleEndToEnd || m == h1.RoleContentType {
				resp.Fields = append(resp.Fields, wire.Field{Name: name, Value: v})
			}
		}
	}
	h1.SortFields(resp.Fields)
	return nil
}
