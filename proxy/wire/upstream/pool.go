package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// Target is where a request goes. It must not change once it has been used.
type Target struct {
	// Scheme is "https", or "http" for a connection without TLS.
	Scheme string
	// Authority is what the application is asked for: the value of Host or
	// :authority, and the name that its certificate must have.
	Authority string
	// Addr is the host:port that is dialed. "" stands for Authority.
	Addr string
	// TLS may be nil: the system's authorities and no client certificate. The
	// application's certificate is verified whatever InsecureSkipVerify says.
	TLS *tls.Config
	// Protocol is "h1" or "h2". "" stands for what the agent speaks, if the
	// application speaks it too.
	Protocol string
	// Proxy is the proxy to go through, or nil.
	Proxy *Proxy
}

// Pool keeps connections to applications and makes round trips over them. There
// is one for each lease, so that no connection ever carries two accounts. It is
// safe for concurrent use.
type Pool struct {
	cfg    wire.Config
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	hosts sync.Map     // hostKey → *host
	clock atomic.Int64 // counts round trips, which orders hosts by their last use

	mu     sync.Mutex
	open   map[net.Conn]struct{} // every open connection, for Close
	closed bool
}

// hostKey is what two targets must have in common to share connections.
type hostKey struct {
	scheme, authority, addr string
	tls                     *tls.Config
	proxy                   *Proxy
}

// NewPool returns a Pool. Zero values in cfg stand for defaults. dial gets
// host:port and must only connect to addresses that may be dialed.
func NewPool(cfg wire.Config, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Pool {
	cfg.SetDefaults()
	p := &Pool{cfg: cfg, dial: dial, open: map[net.Conn]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Close cuts every connection at once. Round trips in flight fail.
func (p *Pool) Close() {
	p.cancel()

	p.mu.Lock()
	p.closed = true
	open := make([]net.Conn, 0, len(p.open))
	for c := range p.open {
		open = append(open, c)
	}
	p.mu.Unlock()

	for _, c := range open {
		netconn.Cut(c)
	}
	p.hosts.Range(func(_, h any) bool {
		h.(*host).end()
		return true
	})
}

var errPoolClosed = errors.New("the lease's connections are closed")

// RoundTrip sends out to t and returns the answer, whose Body the caller closes.
// out and its Fields must not change until then. The error is a *wire.Error. A
// request is sent a second time only if an idle connection turned out to be
// closed before any byte of an answer came, and the method is idempotent and has
// no body; or if the application disowned its stream (RFC 9113 section 6.8), and the
// body, if there is one, is a *bytes.Reader. When ctx ends the exchange is cut at once, also while the body is
// read.
func (p *Pool) RoundTrip(ctx context.Context, t *Target, out *wire.Request) (*wire.Response, error) {
	if err := h1.CheckRequest(out); err != nil {
		return nil, &wire.Error{Stage: wire.StageWrite, Err: err}
	}
	h, err := p.host(t)
	if err != nil {
		return nil, err
	}

	if p.cfg.ExchangeTotal <= 0 {
		return h.roundTrip(ctx, t, out)
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.ExchangeTotal)
	resp, err := h.roundTrip(ctx, t, out)
	return cancelAfter(resp, cancel), err
}

// roundTrip chooses the protocol. Without TLS nothing tells whether the
// application speaks HTTP/2 (RFC 9113 section 3.3), so it is not tried.
func (h *host) roundTrip(ctx context.Context, t *Target, out *wire.Request) (*wire.Response, error) {
	if out.Upgrade != "" {
		return h.openWebSocket(ctx, t, out)
	}

	agentSpeaks2 := t.Scheme == "https" && out.Proto == "HTTP/2.0" && !h.only1.Load()
	try2 := t.Protocol == "h2" || t.Protocol == "" && (agentSpeaks2 || h.only2.Load())
	if try2 {
		resp, err := h.overH2(ctx, out)
		if !errors.Is(err, errNotH2) || t.Protocol == "h2" {
			return resp, err
		}
	}

	resp, err := h.overH1(ctx, out)
	if t.Protocol == "" && err != nil && isNoProtocol(err) {
		h.only2.Store(true)
		return h.overH2(ctx, out)
	}
	return resp, err
}

// openWebSocket opens a WebSocket by an upgrade, which every application takes
// that speaks HTTP/1.1, otherwise by an extended CONNECT. The answer fits the
// way in which the agent asked, whichever way it was.
func (h *host) openWebSocket(ctx context.Context, t *Target, out *wire.Request) (*wire.Response, error) {
	if t.Protocol == "h2" || t.Protocol == "" && h.only2.Load() {
		return h.overConnect(ctx, out)
	}

	keyed, added := withWebSocketKey(out)
	resp, err := h.overH1(ctx, keyed)
	if t.Protocol == "" && err != nil && isNoProtocol(err) {
		h.only2.Store(true)
		return h.overConnect(ctx, out)
	}
	if added && resp != nil {
		resp.Fields = h1.RemoveListed(resp.Fields, acceptField)
	}
	return resp, err
}

// isNoProtocol reports whether the application refused HTTP/1.1 (alert 120, RFC
// 7301 section 3.2).
func isNoProtocol(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert) && alert == 120
}

// cancelAfter calls cancel once the answer is over. A stream that was switched
// keeps its bound.
func cancelAfter(resp *wire.Response, cancel context.CancelFunc) *wire.Response {
	switch {
	case resp == nil:
		cancel()
	case resp.Body != nil:
		resp.Body = &cancelingBody{ReadCloser: resp.Body, cancel: cancel}
	case resp.Switched == nil:
		cancel()
	}
	return resp
}

// cancelingBody is a body whose Close also ends a context.
type cancelingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelingBody) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// host holds the connections of a Pool to one authority.
type host struct {
	pool  *Pool
	key   hostKey
	addr  string
	tls1  *tls.Config // offers http/1.1; nil without TLS
	tls2  *tls.Config // offers h2 and http/1.1; nil without TLS
	slots chan struct{}
	only1 atomic.Bool  // the application chose http/1.1 when it was offered both
	only2 atomic.Bool  // the application refused http/1.1
	used  atomic.Int64 // the pool's clock when the host was last asked for
	h2    *http.Transport

	mu    sync.Mutex
	idle  []*conn // the most recently used one is last
	sweep *sweeper
	ended bool
}

// maxHosts bounds the authorities for which a Pool keeps connections and TLS
// sessions. An adapter can name hosts without number (*.acme.example), and an
// agent may ask for any of them.
const maxHosts = 64

// host returns the host for a target and makes it if there is none.
func (p *Pool) host(t *Target) (*host, error) {
	key := hostKey{t.Scheme, t.Authority, t.Addr, t.TLS, t.Proxy}
	if found, ok := p.hosts.Load(key); ok {
		h := found.(*host)
		h.used.Store(p.clock.Add(1))
		return h, nil
	}

	h, err := p.newHost(t, key)
	if err != nil {
		return nil, err
	}
	stored, loaded := p.hosts.LoadOrStore(key, h)
	switch {
	case loaded:
	case p.ctx.Err() != nil:
		h.end()
	default:
		p.evictHosts()
	}
	return stored.(*host), nil
}

func (p *Pool) newHost(t *Target, key hostKey) (*host, error) {
	name, addr, err := nameAndAddress(t)
	if err != nil {
		return nil, &wire.Error{Stage: wire.StageAddress, Err: err}
	}

	h := &host{pool: p, key: key, addr: addr, slots: make(chan struct{}, p.cfg.MaxConns)}
	if t.Scheme == "https" {
		// TLS sessions are kept in the host and nowhere else: one that was made
		// under other authorities, or in another lease, is not resumed.
		cache := tls.NewLRUClientSessionCache(8)
		h.tls1 = tlsConfig(t, name, cache, "http/1.1")
		h.tls2 = tlsConfig(t, name, cache, "h2", "http/1.1")
		if t.Protocol == "h2" {
			h.tls2.NextProtos = []string{"h2"}
		}
	}
	h.h2 = h.newH2()
	h.used.Store(p.clock.Add(1))
	return h, nil
}

// evictHosts drops hosts beyond maxHosts, the least recently used ones first.
// Exchanges in flight there go on, and their connections end with them.
func (p *Pool) evictHosts() {
	for {
		n := 0
		var oldest *host
		oldestUse := int64(math.MaxInt64)
		p.hosts.Range(func(_, it any) bool {
			n++
			h := it.(*host)
			if used := h.used.Load(); used < oldestUse {
				oldest, oldestUse = h, used
			}
			return true
		})
		if n <= maxHosts {
			return
		}

		p.hosts.CompareAndDelete(oldest.key, oldest)
		oldest.end()
	}
}

// tlsConfig returns the target's configuration with what always holds:
// certificates are verified, by VerifyConnection if not by their authority, and TLS is
// at least 1.2.
func tlsConfig(t *Target, name string, cache tls.ClientSessionCache, protocols ...string) *tls.Config {
	c := &tls.Config{}
	if t.TLS != nil {
		c = t.TLS.Clone()
	}
	c.InsecureSkipVerify = c.InsecureSkipVerify && c.VerifyConnection != nil
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.ClientSessionCache = cache
	c.ServerName = name
	c.NextProtos = protocols
	return c
}

// nameAndAddress returns the name of the application and the host:port to dial.
func nameAndAddress(t *Target) (name, addr string, err error) {
	if t.Scheme != "http" && t.Scheme != "https" {
		return "", "", errors.New("the target's scheme is neither http nor https")
	}
	authority, bad := h1.CheckAuthority(t.Authority)
	if bad != nil {
		return "", "", fmt.Errorf("the target's authority: %s", bad.Detail)
	}

	name, port := wire.SplitAuthority(authority)
	if port == "" {
		port = "443"
		if t.Scheme == "http" {
			port = "80"
		}
	}
	if len(name) > 1 && name[0] == '[' {
		name = name[1 : len(name)-1]
	}

	if t.Addr != "" {
		return name, t.Addr, nil
	}
	return name, net.JoinHostPort(name, port), nil
}
