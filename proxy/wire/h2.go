package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/http2"
)

// setUpH2 makes the HTTP/2 side: one Server for all connections. The library
// takes its bounds from an http.Server, which is never asked to listen.
func (s *Server) setUpH2() {
	s.h2 = &http2.Server{}
	s.web = &http.Server{MaxHeaderBytes: s.cfg.MaxHeadBytes, IdleTimeout: s.cfg.IdleTimeout,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: s.cfg.MaxStreams, WriteByteTimeout: s.cfg.BodyStall,
			SendPingTimeout: s.cfg.IdleTimeout, PingTimeout: s.cfg.BodyStall}}
	if err := http2.ConfigureServer(s.web, s.h2); err != nil {
		panic("wire: " + err.Error()) // only for a TLS configuration, and there is none
	}
}

func (s *Server) serveH2(ctx context.Context, conn net.Conn, scheme string, door Door) error {
	s.h2.ServeConn(conn, &http2.ServeConnOpts{Context: ctx, BaseConfig: s.web,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			(&h2{s: s, door: door, w: w, r: r, scheme: scheme}).serve()
		})})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// h2 is one stream of an agent.
type h2 struct {
	s      *Server
	door   Door
	w      http.ResponseWriter
	r      *http.Request
	scheme string
	body   *timedBody
}

func (x *h2) serve() {
	ctx := x.r.Context()
	in, bad := FromHTTP(x.r)
	if bad != nil {
		x.answer(x.door.Malformed(ctx, bad))
		return
	}
	in.Scheme = x.scheme
	if in.Body != nil {
		x.body = &timedBody{r: in.Body, ctl: http.NewResponseController(x.w), stall: x.s.cfg.BodyStall}
		in.Body = x.body
	}
	x.answer(x.door.Walk(ctx, in))
}

// answer writes resp. http.ErrAbortHandler resets the stream: that is how an
// answer breaks off.
func (x *h2) answer(resp *Response) {
	if resp == nil {
		panic(http.ErrAbortHandler)
	}
	var sent int64
	err := errors.New("wire: the exchange was abandoned")
	defer func() { closeAnswer(resp, sent, x.received(), err) }()
	if resp.Switched != nil {
		sent, err = x.join(resp)
		return
	}
	if err = x.head(resp); err == nil && resp.Body != nil && x.r.Method != http.MethodHead && bodyAllowed(resp.Status) {
		sent, err = x.relay(resp)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	x.trailers(resp)
}

func (x *h2) received() int64 {
	if x.body == nil {
		return 0
	}
	return x.body.count()
}

func (x *h2) head(resp *Response) error {
	if resp.Status < 200 || resp.Status > 999 {
		return errors.New("wire: the answer has no status")
	}
	h := x.w.Header()
	if err := setHeader(h, resp.Fields); err != nil {
		return err
	}
	// Nothing may be made up: an absent field is told from an empty one by nil.
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	if resp.Length >= 0 && resp.Status != http.StatusNoContent && (resp.Length > 0 || resp.Status != http.StatusNotModified) {
		h["Content-Length"] = []string{itoa(resp.Length)}
	}
	x.w.WriteHeader(resp.Status)
	return nil
}

// setHeader fills h with what may stand in HTTP/2 (RFC 9113 section 8.2.2).
func setHeader(h http.Header, fields []Field) error {
	for _, f := range fields {
		if m := meaningOf(f.Name); m != endToEnd && m != isContentType && !strings.EqualFold(f.Name, "proxy-authenticate") {
			continue
		}
		if checkField(f.Name, f.Value) != nil {
			return errSplit
		}
		key := http.CanonicalHeaderKey(f.Name)
		h[key] = append(h[key], f.Value)
	}
	return nil
}

// relay passes the body on read by read; what the source holds back for a
// while must not lie in our buffers.
func (x *h2) relay(resp *Response) (sent int64, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	ctl := http.NewResponseController(x.w)
	flushes := resp.Length < 0 || resp.Length > int64(len(buf))
	if resp.Length < 0 {
		if err := ctl.Flush(); err != nil {
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
			if _, err := x.w.Write(room[:n]); err != nil {
				return sent, err
			}
			if sent += int64(n); flushes && rerr == nil {
				if err := ctl.Flush(); err != nil {
					return sent, err
				}
			}
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
	return sent, nil
}

func (x *h2) trailers(resp *Response) {
	if resp.Trailers == nil {
		return
	}
	for _, f := range resp.Trailers() {
		if !forbiddenInTrailer(f.Name) && checkField(f.Name, f.Value) == nil {
			x.w.Header().Add(http.TrailerPrefix+http.CanonicalHeaderKey(f.Name), f.Value)
		}
	}
}

// join carries a WebSocket in an extended CONNECT (RFC 8441): the answer is 200
// and the stream's data are the connection.
func (x *h2) join(resp *Response) (sent int64, err error) {
	defer resp.Switched.Close()
	resp.Status, resp.Length = http.StatusOK, -1
	if err := x.head(resp); err != nil {
		return 0, err
	}
	ctl := http.NewResponseController(x.w)
	if err := ctl.Flush(); err != nil {
		return 0, err
	}
	sent, received, err := splice(flushed{x.r.Body, x.w, ctl}, resp.Switched, func() { _ = x.r.Body.Close() })
	x.body = &timedBody{}
	x.body.n.Store(received)
	return sent, err
}

type flushed struct {
	io.Reader
	w   io.Writer
	ctl *http.ResponseController
}

func (f flushed) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.ctl.Flush()
	}
	return n, err
}
