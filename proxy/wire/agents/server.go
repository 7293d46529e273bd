// Package agents serves connections of agents, in HTTP/1.1 and HTTP/2. It reads
// each request strictly, gives it to the callbacks, and writes the response that
// they return. Bodies stream in both directions; WebSockets are joined with the
// stream of the application.
package agents

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// Cork gathers what crypto/tls writes, so that the records of a large body go out in
// one system call. The connection below TLS contains a Cork, calls its Write and has
// a method Cork that returns it. The server does the rest.
type Cork = cork.Cork

// ErrServerClosed is returned by Serve after Shutdown was called.
var ErrServerClosed = errors.New("wire: the server is shut down")

// errMalformed is the reason for which a connection ended whose agent sent something
// that cannot be carried.
var errMalformed = errors.New("wire: the agent sent what cannot be carried")

// Server serves agents' connections. One Server serves all tunnels. It is safe for
// concurrent use.
type Server struct {
	cfg wire.Config

	// h2 and h2Settings serve HTTP/2. The library reads its limits from an
	// http.Server, which never listens.
	h2         *http2.Server
	h2Settings *http.Server

	mu     sync.Mutex
	conns  map[*trackedConn]struct{}
	closed bool          // Shutdown was called
	empty  chan struct{} // closed once closed is set and conns is empty
}

// trackedConn is one open connection.
type trackedConn struct {
	conn        net.Conn
	closeIfIdle func() // closes conn if it carries no exchange; nil for HTTP/2
}

// NewServer returns a Server with the limits of cfg. Zero values in cfg mean their
// defaults.
func NewServer(cfg wire.Config) *Server {
	cfg.SetDefaults()
	s := &Server{
		cfg:   cfg,
		conns: map[*trackedConn]struct{}{},
		empty: make(chan struct{}),
	}
	s.configureH2()
	return s
}

// Serve serves one connection until it ends, and closes it. alpn is the protocol
// that TLS negotiated: "h2" means HTTP/2, everything else HTTP/1.1. scheme is set in
// every request. When ctx ends, the connection and its exchanges are cut at once.
// Serve returns nil if the agent closed the connection between two exchanges or it
// was idle for too long.
func (s *Server) Serve(ctx context.Context, conn net.Conn, alpn, scheme string, callbacks wire.Callbacks) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	tracked := &trackedConn{conn: conn}
	var serve func() error
	if alpn == "h2" {
		serve = func() error { return s.serveH2(ctx, conn, scheme, callbacks) }
	} else {
		c := newH1Conn(ctx, cancel, s, conn, scheme, callbacks)
		tracked.closeIfIdle = c.closeIfIdle
		serve = c.serve
	}
	if !s.track(tracked) {
		netconn.Cut(conn)
		return ErrServerClosed
	}
	defer s.untrack(tracked)

	stop := context.AfterFunc(ctx, func() { netconn.Cut(conn) })
	defer stop()
	defer conn.Close()
	defer func() { // the input of one agent must not end the process
		if p := recover(); p != nil {
			netconn.Cut(conn)
			err = fmt.Errorf("wire: panic in an exchange: %v", p)
		}
	}()
	return serve()
}

// track adds a connection. It returns false after Shutdown was called.
func (s *Server) track(c *trackedConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) untrack(c *trackedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.conns, c)
	if s.closed && len(s.conns) == 0 {
		close(s.empty)
	}
}

// idlePoll is how often Shutdown closes connections that have become idle.
const idlePoll = 20 * time.Millisecond

// Shutdown stops accepting connections and requests and waits until the exchanges
// in flight have ended. When ctx ends first, it cuts the rest and returns the error
// of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	if first && len(s.conns) == 0 {
		close(s.empty)
	}
	s.mu.Unlock()
	_ = s.h2Settings.Shutdown(ctx) // sends GOAWAY on every HTTP/2 connection

	poll := time.NewTicker(idlePoll)
	defer poll.Stop()
	for {
		for _, c := range s.openConns() {
			if c.closeIfIdle != nil {
				c.closeIfIdle()
			}
		}
		select {
		case <-s.empty:
			return nil
		case <-ctx.Done():
			for _, c := range s.openConns() {
				netconn.Cut(c.conn)
			}
			return ctx.Err()
		case <-poll.C:
		}
	}
}

func (s *Server) openConns() []*trackedConn {
	s.mu.Lock()
	defer s.mu.Unlock()

	conns := make([]*trackedConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
