package agents

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"os"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/xconnect"
)

func init() { xconnect.Restore() }

const (
	// maxFrame is the largest frame payload that an agent may send, as announced to
	// it: a connection keeps memory for its largest frame.
	maxFrame = 16 << 10

	// streamWindow is the receive window of a stream in bytes (RFC 9113 section
	// 5.2) once its body is read. A stream whose reader has stopped fills its window
	// and no more.
	streamWindow = 256 << 10

	// connWindow is the receive window of a connection. It holds many full streams,
	// so that they do not stop the others.
	connWindow = 64 * streamWindow

	// headSlack is how many times MaxHeadBytes the library accepts before it resets
	// the stream by itself. Up to that size, a head that is too large gets our
	// response.
	headSlack = 4
)

// configureH2 creates the HTTP/2 server of all connections. The library reads its
// limits from an http.Server, which never listens.
func (s *Server) configureH2() {
	s.h2 = &http2.Server{}
	s.h2Settings = &http.Server{
		MaxHeaderBytes: headSlack * s.cfg.MaxHeadBytes,
		IdleTimeout:    s.cfg.IdleTimeout,
		ErrorLog:       log.New(panicLog{}, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize:              maxFrame,
			MaxConcurrentStreams:          s.cfg.MaxStreams,
			WriteByteTimeout:              s.cfg.BodyStall,
			SendPingTimeout:               s.cfg.IdleTimeout,
			PingTimeout:                   s.cfg.BodyStall,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connWindow,
		},
	}
	if err := http2.ConfigureServer(s.h2Settings, s.h2); err != nil {
		panic("wire: " + err.Error()) // it fails only for a TLS configuration, and there is none
	}
}

// panicLog writes to stderr what the library logs about a panic, which is a bug of
// ours. It drops everything else, because agents can cause it as often as they like.
type panicLog struct{}

func (panicLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic serving")) {
		return os.Stderr.Write(line)
	}
	return len(line), nil
}

// serveH2 serves an HTTP/2 connection until it and its exchanges have ended.
func (s *Server) serveH2(ctx context.Context, conn net.Conn, scheme string, callbacks wire.Callbacks) error {
	c := s.newH2Conn(ctx, conn, callbacks)
	var exchanges inProgress
	handler := func(w http.ResponseWriter, r *http.Request) {
		exchanges.begin()
		defer exchanges.end()
		head := c.takeHead(r.RequestURI)
		if head == nil { // the stream was reset
			panic(http.ErrAbortHandler)
		}
		x := &handlerExchange{
			server:    s,
			callbacks: callbacks,
			w:         w,
			r:         r,
			scheme:    scheme,
			method:    head.Method,
			conn:      c,
			stream:    head.stream,
		}
		defer c.forgetWindow(head.stream)
		x.serve(head.request(r, c))
	}

	served := net.Conn(c)
	if _, ok := conn.(*tls.Conn); ok {
		served = h2TLSConn{c}
	}
	s.h2.ServeConn(served, &http2.ServeConnOpts{Context: ctx, BaseConfig: s.h2Settings, Handler: http.HandlerFunc(handler)})

	// The library returns before its handlers. What they know of their exchanges is to
	// be on record when the connection counts as closed.
	exchanges.wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
