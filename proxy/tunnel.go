package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"

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

// connectionEstablished answers a CONNECT that is accepted.
const connectionEstablished = "HTTP/1.1 200 Connection established\r\n\r\n"

// interceptInBackground intercepts on a goroutine that it starts. The goroutine
// of the caller holds the front's buffers and a deep stack, which would otherwise
// be held for as long as the tunnel is open.
func (t *tunnel) interceptInBackground(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	if full := t.acquireSlot(); full != nil {
		defer client.Close()
		_ = t.server.refuseAtFront(r, t, t.authority, full).Write(client)
		return
	}

	go func() {
		defer t.releaseSlot()
		defer func() { // the input of one agent must never end the process
			if p := recover(); p != nil {
				_ = client.Close()
				t.server.opt.Log.Error().Str("host", t.authority).Msg("panic in a tunnel")
			}
		}()
		t.intercept(client)
	}()
}

// firstRead is large enough for a ClientHello, so that it takes one read.
const firstRead = 2 << 10

// intercept terminates the agent's TLS with a leaf for the tunnel's host and
// serves the protocol that ALPN chose. It returns when the connection has ended.
func (t *tunnel) intercept(client net.Conn) {
	defer func() { client.Close() }() // client is replaced below
	defer t.server.metrics.tunnelOpen(t.server.metrics.intercepted)()

	// The wire's server cuts the connection when the task ends (I6). Before it
	// serves the connection, nothing else would.
	agent := client
	stop := context.AfterFunc(t.task.Context(), func() { agents.Cut(agent) })
	defer stop()

	if _, err := io.WriteString(client, connectionEstablished); err != nil {
		return
	}

	client = agents.Unguard(client)
	conn := &interceptedConn{Conn: client, tunnel: t, first: bufio.NewReaderSize(client, firstRead)}
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
