package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// arrival is how an agent's connection came to Byline. The zero value is a connection to
// the proxy port.
type arrival struct {
	// listener is the task whose own listener accepted the connection, or nil.
	listener *identity.Task
	// identified is how the task of listener was found, if that was earlier and not
	// by the listener.
	identified string
	// transparent says that the agent takes Byline for the application.
	transparent bool
	// destination is where the agent's connection was made to, if it is known. It
	// is a hint: an agent can connect to any address.
	destination netip.AddrPort
}

// evidence returns who is asking, as far as the connection and the credentials that came
// over it tell.
func (a arrival) evidence(conn net.Conn, credentials string) identity.Evidence {
	return identity.Evidence{
		ProxyAuthorization: credentials,
		Listener:           a.listener,
		Peer:               func() (uint32, bool) { return agents.PeerUID(conn, a.destination) },
		RemoteAddr:         conn.RemoteAddr().String(),
	}
}

// Serve answers agents that use Byline as their proxy, until Close. It returns nil after
// Close.
func (s *Server) Serve(ln net.Listener) error {
	if s.opt.FrontTLS != nil {
		ln = tls.NewListener(ln, s.opt.FrontTLS)
	}
	return s.accept(ln, func(net.Conn) (arrival, error) { return arrival{}, nil })
}

// ServeLocal is Serve for a Unix socket, without TLS.
func (s *Server) ServeLocal(ln net.Listener) error {
	return s.accept(ln, func(net.Conn) (arrival, error) { return arrival{}, nil })
}

// ServeRedirected answers connections that the kernel redirected to ln, of agents that
// take Byline for the application. It returns nil after Close.
func (s *Server) ServeRedirected(ln net.Listener) error {
	return s.accept(ln, func(conn net.Conn) (arrival, error) {
		to, err := agents.RedirectedFrom(conn)
		return arrival{transparent: true, destination: to}, err
	})
}

// ServeDiverted is ServeRedirected for a listener of [agents.ListenDiverted].
func (s *Server) ServeDiverted(ln net.Listener) error {
	return s.accept(ln, func(conn net.Conn) (arrival, error) {
		to, err := agents.DivertedFrom(conn, ln.Addr())
		return arrival{transparent: true, destination: to}, err
	})
}

// Longest and shortest pause after an Accept that failed, mostly for want of
// descriptors.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// accept serves the connections of ln until the server closes or ln is closed. arrive
// returns how a connection came.
func (s *Server) accept(ln net.Listener, arrive func(net.Conn) (arrival, error)) error {
	defer context.AfterFunc(s.accepting, func() { _ = ln.Close() })()

	pause := minAcceptPause
	for {
		conn, err := ln.Accept()
		switch {
		case s.accepting.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.opt.Log.Error().Err(err).Msg("accept failed")
			time.Sleep(pause)
			pause = min(2*pause, maxAcceptPause)
			continue
		}
		pause = minAcceptPause

		go func() {
			a, err := arrive(conn)
			if err != nil {
				s.opt.Log.Warn().Err(err).Msg("a connection was dropped: nothing tells where it was going")
				_ = conn.Close()
				return
			}
			s.serveConn(conn, a)
		}()
	}
}

// serveConn tells the protocol of a connection by its first byte and serves it.
func (s *Server) serveConn(conn net.Conn, a arrival) {
	defer func() { // the input of one agent must never end the process
		if p := recover(); p != nil {
			agents.Cut(conn)
			s.opt.Log.Error().Bytes("stack", debug.Stack()).Msg("panic in a connection")
		}
	}()

	stop := context.AfterFunc(s.accepting, func() { agents.Cut(conn) })
	stopCut := a.cutAfterEnd(conn)
	defer stopCut()
	in, err := s.wire.Incoming(conn)
	if !stop() || err != nil {
		agents.Cut(conn)
		return
	}

	switch {
	case a.transparent:
		s.serveTransparent(in, a)
	case in.First() == agents.SOCKSVersion:
		s.serveSOCKS(in, a)
	default:
		c := &frontConn{Conn: s.wire.Guard(in, (&tunnel{server: s}).malformed), arrival: a}
		c.stopCut = a.cutAfterEnd(in.Conn)
		s.handover.deliver(c)
	}
}

// cutAfterEnd closes a connection that a task's listener accepted endedGrace after the
// end of the task, unless stop is called before.
func (a arrival) cutAfterEnd(conn net.Conn) (stop func() bool) {
	if a.listener == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(a.listener.Context(), func() {
		time.AfterFunc(endedGrace, func() { agents.Cut(conn) })
	})
}

// frontConn is a connection that the HTTP server of the proxy port serves, with the
// guard below it.
type frontConn struct {
	net.Conn
	arrival arrival
	stopCut func() bool // see cutAfterEnd

	mu       sync.Mutex
	isOf     *task       // whose request came last; nil if the connection is not idle after one
	stopIdle func() bool // forgets isOf
	isOver   bool        // it is closed, or was detached
}

// Close closes the connection.
func (c *frontConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// release makes sure that the end of no task closes the connection.
func (c *frontConn) release() {
	c.stopCut()
	c.endIdle()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isOver = true
}

// beginIdle closes the connection endedGrace after the end of the task whose request
// was answered, unless another request comes before.
func (c *frontConn) beginIdle(t *task) {
	c.endIdle()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isOver {
		return
	}
	c.isOf = t
	c.stopIdle = context.AfterFunc(t.Context(), func() {
		time.AfterFunc(endedGrace, func() { c.cutIfIdle(t) })
	})
}

// endIdle is called when a request has come. It is a no-op unless beginIdle was called.
func (c *frontConn) endIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isOf != nil {
		c.stopIdle()
		c.isOf = nil
	}
}

func (c *frontConn) cutIfIdle(t *task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isOf == t {
		agents.Cut(c.Conn)
	}
}

// detach returns the connection below for whoever serves a tunnel over it.
func (c *frontConn) detach() net.Conn {
	c.release()
	return agents.Unguard(c.Conn)
}

// NetConn returns the guard.
func (c *frontConn) NetConn() net.Conn { return c.Conn }

// CloseWrite closes the writing half if the connection has one.
func (c *frontConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return half.CloseWrite()
}

// handover is a listener whose connections others have accepted.
type handover struct {
	conns     chan net.Conn
	closed    chan struct{}
	closeOnce sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// deliver waits until Accept returns conn. It cuts conn if the listener is closed.
func (h *handover) deliver(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.closed:
		agents.Cut(conn)
	}
}

// Accept returns the next connection that was delivered.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept return net.ErrClosed.
func (h *handover) Close() error {
	h.closeOnce.Do(func() { close(h.closed) })
	return nil
}

// Addr returns an address that says nothing: connections come from several listeners.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

// takeConnection serves a connection that a listener of a task accepted.
func (s *Server) takeConnection(w http.ResponseWriter, r *http.Request) {
	front, _ := r.Context().Value(agentConn{}).(*frontConn)
	t := &tunnel{server: s}
	a := arrival{}

	err := s.authenticate(r.Context(), t, identity.Evidence{ProxyAuthorization: r.Header.Get("Proxy-Authorization")})
	if text := r.Header.Get(wire.DestinationField); err == nil && text != "" {
		a.transparent = true
		a.destination, err = netip.ParseAddrPort(text)
		if err != nil {
			err = refuse(AmbiguousRequest, "%s is not ADDRESS:PORT.", wire.DestinationField)
		}
	}
	if err == nil && (front == nil || front.arrival.listener != nil) {
		err = refuse(AmbiguousRequest, "this connection is a listener's already.")
	}
	if err != nil {
		writeHTTP(w, s.refuseAtFront(r, t, r.Host, err))
		return
	}

	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+wire.ConnectionUpgrade+"\r\n\r\n")
	if err != nil {
		agents.Cut(conn)
		return
	}

	a.listener = t.task.Task
	go s.serveConn(conn, a) // the front's goroutine has a deep stack
}
