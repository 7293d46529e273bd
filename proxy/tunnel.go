package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

// tunnel is what was settled when an agent's connection was taken over. It does
// not change; each request inside it is an exchange.
type tunnel struct {
	server    *Server
	task      *task
	authority string // host:port in canonical spelling; every request must name it
	host      string // authority without the port

	identified string // how the task was found, see package identity

	cachedAdapter atomic.Pointer[tunnelAdapter]
	cachedTarget  atomic.Pointer[tunnelTarget]
}

// tunnelAdapter is the adapter of a tunnel's host under one set of rules.
type tunnelAdapter struct {
	rules   *rules
	adapter *adapters.Adapter
}

// tunnelTarget is where a tunnel's requests go under one version of its adapter.
type tunnelTarget struct {
	adapter *adapters.Adapter
	target  *upstream.Target
}

// adapter returns the adapter that names the tunnel's host under r, or nil. It is
// looked up once for each set of rules.
func (t *tunnel) adapter(r *rules) *adapters.Adapter {
	if c := t.cachedAdapter.Load(); c != nil && c.rules == r {
		return c.adapter
	}

	a := r.adapters.ByHost(t.authority)
	t.cachedAdapter.Store(&tunnelAdapter{r, a})
	return a
}

// target returns where requests to the tunnel's host go. It is computed once for
// each version of the adapter.
func (t *tunnel) target(r *rules, a *adapters.Adapter) (*upstream.Target, error) {
	if c := t.cachedTarget.Load(); c != nil && c.adapter == a {
		return c.target, nil
	}

	target, err := r.targetOf(a, t.authority)
	if err != nil {
		return nil, refuse(UpstreamTLS, "the upstream settings of adapter %s cannot be used; the operator's log says why.", a.Name()).because(err)
	}
	t.cachedTarget.Store(&tunnelTarget{a, target})
	return target, nil
}

// hasAuthority reports whether authority is the tunnel's own, in any spelling.
// Most requests spell it as the CONNECT did, without a default port.
func (t *tunnel) hasAuthority(authority, scheme string) bool {
	port := t.authority[len(t.host):]
	isDefault := port == ":443" && scheme == "https" || port == ":80" && scheme == "http"
	if isDefault && authority == t.host {
		return true
	}
	return canonicalAuthority(authority, scheme) == t.authority
}

// acquireSlot counts the tunnel among those of its task. It returns a refusal if
// the task has as many as it may have; otherwise the caller calls releaseSlot.
func (t *tunnel) acquireSlot() *Refusal {
	limit := int64(t.server.opt.Wire.MaxTunnels)
	if t.task.tunnels.Add(1) <= limit {
		return nil
	}

	t.releaseSlot()
	r := refuse(TooManyTunnels, "this task has %d connections open, which is as many as a task may have. Close some, or use those that are open for more than one request.", limit)
	r.Retry = 1
	return r
}

func (t *tunnel) releaseSlot() { t.task.tunnels.Add(-1) }

// setAuthority sets where the tunnel leads to. A malformed authority leaves it empty.
func (t *tunnel) setAuthority(authority, scheme string) {
	t.authority = canonicalAuthority(authority, scheme)
	t.host, _ = wire.SplitAuthority(t.authority)
}

// port returns the port of the authority.
func (t *tunnel) port() string {
	_, port := wire.SplitAuthority(t.authority)
	return port
}

// open looks the host up. pass reports that the tunnel is copied without being read.
func (t *tunnel) open(authority, scheme string) (pass bool, err error) {
	t.setAuthority(authority, scheme)
	if t.authority == "" {
		return false, refuse(AmbiguousRequest, "the target is not host:port.")
	}

	set := t.server.rules.Load()
	if set.adapters.ByHost(t.authority) != nil {
		return false, nil
	}
	if set.passThrough(t.authority) && scheme == "https" {
		return true, nil
	}
	return false, refuseHostNotAdapted(t.authority)
}

// serve answers the agent's request for the tunnel and carries the tunnel to its end.
func (t *tunnel) serve(o opening, pass bool) {
	if full := t.acquireSlot(); full != nil {
		t.refuseOpening(o, full)
		return
	}
	defer t.releaseSlot()
	defer func() { // the input of one agent must never end the process
		if p := recover(); p != nil {
			t.server.opt.Log.Error().Str("host", t.authority).Bytes("stack", debug.Stack()).Msg("panic in a tunnel")
		}
	}()

	if pass {
		t.passThrough(o)
		return
	}
	t.intercept(o)
}

// refuseOpening records the refusal and tells it to the agent.
func (t *tunnel) refuseOpening(o opening, err error) {
	refused, id := t.server.recordRefusal(t, o.method(), "", err)
	o.refuse(refused, id)
}

// firstRead is large enough for a ClientHello, so that it takes one read.
const firstRead = 2 << 10

// intercept terminates the agent's TLS with a leaf for the tunnel's host and
// serves the protocol that ALPN chose. It returns when the connection has ended.
func (t *tunnel) intercept(o opening) {
	client, seen, err := o.accept()
	if err != nil {
		return
	}
	defer client.Close()
	defer t.server.metrics.tunnelOpen(t.server.metrics.intercepted)()

	// The wire's server cuts the connection when the task ends (I6). Before it
	// serves the connection, nothing else would.
	stop := context.AfterFunc(t.task.Context(), func() { agents.Cut(client) })
	defer stop()

	conn := &interceptedConn{Conn: client, tunnel: t, first: firstReader(client, seen)}
	_ = client.SetReadDeadline(time.Now().Add(t.server.opt.HandshakeTimeout))
	first, err := conn.first.Peek(1)
	if err != nil {
		return
	}
	isHandshake := first[0] == 0x16 // RFC 8446 section 5.1
	if !isHandshake {
		_ = client.SetReadDeadline(time.Time{})
		_ = t.server.wire.Serve(t.task.Context(), conn, "", "http", t.callbacks())
		return
	}

	secured := tls.Server(conn, t.server.tls)
	ctx, cancel := context.WithTimeout(t.task.Context(), t.server.opt.HandshakeTimeout)
	err = secured.HandshakeContext(ctx)
	cancel()
	if err != nil {
		t.server.opt.Log.Debug().Str("host", t.authority).Err(err).Msg("agent's TLS handshake failed")
		return
	}

	_ = client.SetReadDeadline(time.Time{})
	_ = t.server.wire.Serve(t.task.Context(), secured, secured.ConnectionState().NegotiatedProtocol, "https", t.callbacks())
}

// firstReader returns a reader of the first bytes of conn, which begins with those that
// were seen.
func firstReader(conn net.Conn, seen []byte) *bufio.Reader {
	if len(seen) == 0 {
		return bufio.NewReaderSize(conn, firstRead)
	}
	return bufio.NewReaderSize(io.MultiReader(bytes.NewReader(seen), conn), firstRead)
}

// callbacks returns the functions by which package wire asks about this tunnel.
func (t *tunnel) callbacks() wire.Callbacks {
	return wire.Callbacks{Exchange: t.exchange, Malformed: t.malformed}
}

// malformed answers a request whose head could not be parsed, so that it never
// reaches the walk.
func (t *tunnel) malformed(_ context.Context, m *wire.Malformed) *wire.Response {
	x := &exchange{server: t.server, rules: t.server.rules.Load(), tunnel: t, in: &wire.Request{}, started: time.Now()}
	return x.refuse(asRefusal(m))
}

// interceptedConn is an agent's connection together with its tunnel, so that the
// tls.Config that all tunnels share can ask which leaf is wanted.
type interceptedConn struct {
	net.Conn
	tunnel *tunnel
	first  *bufio.Reader // nil once its bytes have been read
	cork   agents.Cork
}

// hostOf returns the name that the leaf must be for: the target of the CONNECT,
// never what the ClientHello names.
func hostOf(conn net.Conn) string {
	c, ok := conn.(*interceptedConn)
	if !ok {
		return ""
	}
	return c.tunnel.host
}

func (c *interceptedConn) Read(p []byte) (int, error) {
	if c.first == nil {
		return c.Conn.Read(p)
	}

	n, err := c.first.Read(p)
	if c.first.Buffered() == 0 {
		c.first = nil
	}
	return n, err
}

func (c *interceptedConn) Write(p []byte) (int, error) { return c.cork.Write(c.Conn, p) }

// Cork returns the cork, which package wire uses to send large bodies.
func (c *interceptedConn) Cork() (*agents.Cork, net.Conn) { return &c.cork, c.Conn }

// CloseWrite ends Byline's side of the connection, so that an agent can read the
// last answer to its end.
func (c *interceptedConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return half.CloseWrite()
}
