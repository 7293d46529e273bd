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

// Server carries agents' connections. It is safe for concurrent use; one serves
// all tunnels.
type Server struct {
	cfg wire.Config
	h2  *http2.Server
	web *http.Server // what http2 takes its bounds from; it never listens

	mu     sync.Mutex
	open   map[*served]struct{}
	closed bool
	gone   chan struct{} // closed when open becomes empty after Shutdown began
}

// served is one connection, of either protocol.
type served struct {
	conn  net.Conn
	quiet func() bool // closes the connection if no exchange is on it
}

// NewServer makes a Server; what is zero in cfg gets its default.
func NewServer(cfg wire.Config) *Server {
	cfg.SetDefaults()
	s := &Server{cfg: cfg, open: map[*served]struct{}{}, gone: make(chan struct{})}
	s.setUpH2()
	return s
}

// ErrServerClosed is what Serve returns once Shutdown was called.
var ErrServerClosed = errors.New("wire: the server is shut down")

// Serve carries one connection until it ends and closes it. alpn is what TLS
// chose: "h2", or anything else for HTTP/1.1. scheme is what the requests get.
// When ctx ends, the connection and every exchange on it are cut at once. nil
// means that the agent or an idle time ended it between two exchanges.
func (s *Server) Serve(ctx context.Context, conn net.Conn, alpn, scheme string, door wire.Callbacks) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	it := &served{conn: conn}
	var carry func() error
	if alpn == "h2" {
		carry = func() error { return s.serveH2(ctx, conn, scheme, door) }
	} else {
		c := newH1(ctx, cancel, s, conn, scheme, door)
		it.quiet = c.closeIfIdle
		carry = c.serve
	}
	if !s.enter(it) {
		netconn.Cut(conn)
		return ErrServerClosed
	}
	defer s.leave(it)
	stop := context.AfterFunc(ctx, func() { netconn.Cut(conn) })
	defer stop()
	defer conn.Close()
	defer func() { // one agent's input never ends the process
		if p := recover(); p != nil {
			netconn.Cut(conn)
			err = fmt.Errorf("wire: panic in an exchange: %v", p)
		}
	}()
	return carry()
}

func (s *Server) enter(it *served) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open[it] = struct{}{}
	return true
}

func (s *Server) leave(it *served) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, it)
	if s.closed && len(s.open) == 0 {
		close(s.gone)
	}
}

// Shutdown takes no further connection or request, lets the exchanges under way
// end, and cuts what is left when ctx ends; then it returns ctx's error.
// It is to be called once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	if first && len(s.open) == 0 {
		close(s.gone)
	}
	s.mu.Unlock()
	_ = s.web.Shutdown(ctx) // starts the farewell (GOAWAY) on every HTTP/2 connection
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s.each(func(it *served) {
			if it.quiet != nil {
				it.quiet()
			}
		})
		select {
		case <-s.gone:
			return nil
		case <-ctx.Done():
			s.each(func(it *served) { netconn.Cut(it.conn) })
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Server) each(do func(*served)) {
	s.mu.Lock()
	all := make([]*served, 0, len(s.open))
	for it := range s.open {
		all = append(all, it)
	}
	s.mu.Unlock()
	for _, it := range all {
		do(it)
	}
}

func (s *Server) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Cork gathers what TLS writes record by record, so that the records of a large
// body go out in one system call. The connection under TLS embeds it, calls its
// Write and shows it by a method Cork; the server does the rest.
type Cork = cork.Cork
