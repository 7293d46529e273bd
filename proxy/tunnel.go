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

// tunnel is what was settled when an agent's connection was taken over. It is
// fixed from then on; each request is an exchange of its own.
type tunnel struct {
	server    *Server
	task      *task
	authority string // host:port, one spelling; every request must name it
	host      string // the same without the port
	standing  atomic.Pointer[hostAdapter]
	upstream  atomic.Pointer[tunnelTarget]
}

// hostAdapter is what a tunnel's host is under one set of rules.
type hostAdapter struct {
	rules   *rules
	adapter *adapters.Adapter
}

// adapter is nil when none names the tunnel's host. It is looked up once for
// each set of rules.
func (t *tunnel) adapter(r *rules) *adapters.Adapter {
	if p := t.standing.Load(); p != nil && p.rules == r {
		return p.adapter
	}
	a := r.adapters.ByHost(t.authority)
	t.standing.Store(&hostAdapter{r, a})
	return a
}

// hasAuthority tells whether a request names the tunnel's own authority, however it
// spells it. Most spell it as the tunnel was asked for.
func (t *tunnel) hasAuthority(authority, scheme string) bool {
	if port := t.authority[len(t.host):]; authority == t.host && (port == ":443" && scheme == "https" || port == ":80" && scheme == "http") {
		return true
	}
	return canonicalAuthority(authority, scheme) == t.authority
}

// tunnelTarget is where a tunnel's requests go under one version of its adapter.
type tunnelTarget struct {
	adapter *adapters.Adapter
	target  *upstream.Target
}

// target is computed once for each version of the adapter.
func (t *tunnel) target(r *rules, a *adapters.Adapter) (*upstream.Target, error) {
	if u := t.upstream.Load(); u != nil && u.adapter == a {
		return u.target, nil
	}
	target, err := r.targetOf(a, t.authority)
	if err != nil {
		return nil, refuse(UpstreamTLS, "the upstream settings of adapter %s cannot be used; the operator's log says why.", a.Name()).because(err)
	}
	t.upstream.Store(&tunnelTarget{a, target})
	return target, nil
}

// interceptInBackground intercepts on a goroutine of its own: the front's buffers and its deep
// stack would otherwise be held for as long as the tunnel is open.
func (t *tunnel) interceptInBackground(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	if refused := t.acquireSlot(); refused != nil {
		defer client.Close()
		_ = t.server.refuseFront(r, t, t.authority, refused).Write(client)
		return
	}
	go func() {
		defer t.task.tunnels.Add(-1)
		defer func() { // one agent's input never ends the process
			if p := recover(); p != nil {
				_ = client.Close()
				t.server.opt.Log.Error().Str("host", t.authority).Msg("panic in a tunnel")
			}
		}()
		t.intercept(client)
	}()
}

// acquireSlot counts the tunnel in, unless its task has as many as it may have. Whoever
// gets nil counts it out again.
func (t *tunnel) acquireSlot() *Refusal {
	most := int64(t.server.opt.Wire.MaxTunnels)
	if t.task.tunnels.Add(1) <= most {
		return nil
	}
	t.task.tunnels.Add(-1)
	r := refuse(TooManyTunnels, "this task has %d connections open, which is as many as a task may have. Close some, or use those that are open for more than one request.", most)
	r.Retry = 1
	return r
}

// intercept terminates the agent's TLS with a leaf for the tunnel's host and
// hands the connection to the wire that ALPN chose. It returns when the
// connection has ended.
func (t *tunnel) intercept(client net.Conn) {
	defer func() { client.Close() }()
	defer t.server.metrics.tunnelOpen("intercept")()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	client = agents.Bare(client)
	conn := &interceptedConn{Conn: client, tunnel: t, first: bufio.NewReaderSize(client, firstRead)}
	_ = client.SetReadDeadline(time.Now().Add(t.server.opt.HandshakeTimeout))
	first, err := conn.first.Peek(1)
	if err != nil {
		return
	}
	if first[0] != 0x16 { // not a TLS handshake (RFC 8446 section 5.1): plain HTTP inside the tunnel
		_ = client.SetReadDeadline(time.Time{})
		_ = t.server.wire.Serve(t.task.Context(), conn, "", "http", t.door())
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
	_ = t.server.wire.Serve(t.task.Context(), secured, secured.ConnectionState().NegotiatedProtocol, "https", t.door())
}

// firstRead holds a ClientHello of today, so that it takes one read.
const firstRead = 2 << 10

// interceptedConn is an agent's connection with the tunnel it belongs to, so that the one
// tls.Config of all tunnels can ask which leaf is wanted.
type interceptedConn struct {
	net.Conn
	tunnel *tunnel
	first  *bufio.Reader // nil once its bytes were read
	cork   agents.Cork
}

func (t *interceptedConn) Write(p []byte) (int, error) { return t.cork.Write(t.Conn, p) }

// Cork is for large bodies.
func (t *interceptedConn) Cork() (*agents.Cork, net.Conn) { return &t.cork, t.Conn }

func (t *interceptedConn) Read(p []byte) (int, error) {
	if t.first == nil {
		return t.Conn.Read(p)
	}
	n, err := t.first.Read(p)
	if t.first.Buffered() == 0 {
		t.first = nil
	}
	return n, err
}

// CloseWrite ends our side, so that an agent can read a last answer to its end.
func (t *interceptedConn) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// hostOf is the name the leaf must be for: the CONNECT target, never what the
// ClientHello says.
func hostOf(conn net.Conn) string {
	if t, ok := conn.(*interceptedConn); ok {
		return t.tunnel.host
	}
	return ""
}

func (t *tunnel) door() wire.Callbacks {
	return wire.Callbacks{Exchange: t.exchange, Malformed: t.malformed}
}

// malformed answers a head that no walk may see.
func (t *tunnel) malformed(_ context.Context, m *wire.Malformed) *wire.Response {
	x := &exchange{server: t.server, rules: t.server.rules.Load(), tunnel: t, in: &wire.Request{}, started: time.Now()}
	return x.refuse(asRefusal(m))
}
