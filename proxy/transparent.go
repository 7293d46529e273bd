package proxy

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
)

// serveTransparent serves a connection of an agent that takes Byline for the
// application: step 0 of the walk for it. The name in the TLS handshake, or the Host of
// the first plain request, says which host is meant; the requests inside must agree.
func (s *Server) serveTransparent(in *agents.Incoming, a arrival) {
	if !in.IsTLS() {
		s.servePlain(in, a)
		return
	}

	o := helloOpening{in}
	t := &tunnel{server: s}
	ctx, cancel := context.WithTimeout(s.accepting, s.opt.HandshakeTimeout)
	defer cancel()

	name, err := in.ServerName(s.opt.HandshakeTimeout)
	if err != nil {
		s.opt.Log.Debug().Err(err).Msg("agent's TLS handshake failed")
		agents.Cut(in)
		return
	}

	if err := s.authenticateConn(ctx, t, in, a); err != nil {
		t.refuseOpening(o, err)
		return
	}
	if name == "" {
		t.authority = a.destination.String()
		t.refuseOpening(o, refuse(HostNotAdapted, "the TLS handshake names no host (server_name), so that no adapter can be found. Connect to the application by its name."))
		return
	}
	pass, err := t.open(net.JoinHostPort(name, portOf(a, "443")), "https")
	if err != nil {
		t.refuseOpening(o, err)
		return
	}
	t.serve(o, pass)
}

// authenticateConn sets the task of the tunnel to the one that the connection proves
// without credentials.
func (s *Server) authenticateConn(ctx context.Context, t *tunnel, conn net.Conn, a arrival) error {
	err := s.authenticate(ctx, t, a.evidence(conn, ""))
	t.identified = cmp.Or(a.identified, t.identified)
	if isRefusal(err, AuthRequired) {
		// An agent that knows of no proxy cannot send credentials to one.
		r := refuse(AuthRequired, "nothing tells which task this connection belongs to. "+
			"The operator can bind a task to its user or its address (byline task create --bind), or start the agent with byline run.").because(err)
		r.Status = http.StatusForbidden
		return r
	}
	return err
}

// portOf returns the port to which the agent connected, or otherwise if that is not
// known.
func portOf(a arrival, otherwise string) string {
	if !a.destination.IsValid() {
		return otherwise
	}
	return strconv.Itoa(int(a.destination.Port()))
}

// plainConn is a plain connection whose host the first request names.
type plainConn struct {
	server  *Server
	conn    net.Conn
	arrival arrival
	end     context.CancelCauseFunc // ends the connection

	open     sync.Once
	tunnel   *tunnel // set by the first request
	err      error   // why there is no tunnel
	release  func()  // gives the tunnel's slot back
	stopTask func() bool
}

// servePlain serves plain HTTP/1.1.
func (s *Server) servePlain(in *agents.Incoming, a arrival) {
	ctx, end := context.WithCancelCause(context.WithoutCancel(s.accepting))
	defer end(nil)
	c := &plainConn{server: s, conn: in, arrival: a, end: end}
	defer c.close()

	_ = s.wire.Serve(ctx, in, "", "http", wire.Callbacks{
		Exchange:  c.exchange,
		Malformed: (&tunnel{server: s}).malformed,
	})
}

// exchange answers one request of the connection.
func (c *plainConn) exchange(ctx context.Context, in *wire.Request) *wire.Response {
	c.open.Do(func() { c.err = c.openTunnel(ctx, in.Authority) })
	if c.err != nil {
		refused, id := c.server.recordRefusal(c.tunnel, in.Method, in.Path, c.err)
		return refused.response(&in.Head, id)
	}
	return c.tunnel.exchange(ctx, in)
}

// openTunnel authenticates the agent and opens a tunnel to the host that the first
// request names.
func (c *plainConn) openTunnel(ctx context.Context, authority string) error {
	c.tunnel = &tunnel{server: c.server}
	if err := c.server.authenticateConn(ctx, c.tunnel, c.conn, c.arrival); err != nil {
		return err
	}

	_, err := c.tunnel.open(authority, "http")
	if err != nil {
		return err
	}
	if port := portOf(c.arrival, ""); port != "" && c.tunnel.port() != port {
		return refuse(Misdirected, "the request names %q, but the connection was made to port %s.", authority, port)
	}
	if full := c.tunnel.acquireSlot(); full != nil {
		return full
	}

	c.release = c.tunnel.releaseSlot
	task := c.tunnel.task.Context()
	c.stopTask = context.AfterFunc(task, func() { c.end(context.Cause(task)) })
	return nil
}

// close gives back what openTunnel took.
func (c *plainConn) close() {
	if c.release != nil {
		c.stopTask()
		c.release()
	}
}
