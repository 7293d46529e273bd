package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// Target is where a request goes. A Target must not change once it was used.
type Target struct {
	// Scheme is "https", or "http" for no TLS.
	Scheme string
	// Authority is what the SaaS is asked by: Host or :authority, and the name
	// its certificate must have.
	Authority string
	// Addr is the host:port that is dialled; "" means Authority.
	Addr string
	// TLS may be nil: the system's authorities, no client certificate. Its
	// certificates are verified whatever InsecureSkipVerify says.
	TLS *tls.Config
	// Protocol is "h1", "h2", or "" for what the agent speaks, as far as the
	// SaaS does too.
	Protocol string
	// Proxy is the proxy to go through; nil for none.
	Proxy *Proxy
}

// Pool keeps connections to the SaaS and makes round trips over them. There is
// one per lease, so that no connection ever carries two accounts. It is safe for
// concurrent use.
type Pool struct {
	cfg    wire.Config
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	hosts sync.Map     // hostKey → *host
	turn  atomic.Int64 // counts round trips, so that hosts can be told by their last
	mu    sync.Mutex
	live  map[net.Conn]struct{} // every open connection, so that Close can cut it
	shut  bool
}

// hostKey is what two targets must share to share connections.
type hostKey struct {
	scheme, authority, addr string
	tls                     *tls.Config
	via                     *Proxy
}

// NewPool makes a Pool. dial gets host:port and must only dial what may be
// dialled; what is zero in cfg gets its default.
func NewPool(cfg wire.Config, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Pool {
	cfg.SetDefaults()
	p := &Pool{cfg: cfg, dial: dial, live: map[net.Conn]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Close is at once: every connection is cut and what is in flight fails.
func (p *Pool) Close() {
	p.cancel()
	p.mu.Lock()
	p.shut = true
	live := make([]net.Conn, 0, len(p.live))
	for c := range p.live {
		live = append(live, c)
	}
	p.mu.Unlock()
	for _, c := range live {
		netconn.Cut(c)
	}
	p.hosts.Range(func(_, h any) bool {
		h.(*host).end()
		return true
	})
}

var errPoolClosed = errors.New("the lease's connections are closed")

// RoundTrip sends out to t and returns the answer; the caller closes its Body.
// out and its Fields must not change until then. The error is an *Error. A
// request is sent a second time only if a kept-alive connection turned out to be
// closed before any byte of an answer, and the method is idempotent without a
// body. When ctx ends, the exchange is cut at once, also while the body is read.
func (p *Pool) RoundTrip(ctx context.Context, t *Target, out *wire.Request) (*wire.Response, error) {
	if err := h1.CheckRequest(out); err != nil {
		return nil, &wire.Error{Stage: wire.StageWrite, Err: err}
	}
	h, err := p.host(t)
	if err != nil {
		return nil, err
	}
	var total context.CancelFunc
	if p.cfg.ExchangeTotal > 0 {
		ctx, total = context.WithTimeout(ctx, p.cfg.ExchangeTotal)
	}
	resp, err := h.roundTrip(ctx, t, out)
	if total != nil {
		resp = untilOver(resp, total)
	}
	return resp, err
}

func (h *host) roundTrip(ctx context.Context, t *Target, out *wire.Request) (*wire.Response, error) {
	// Without TLS nothing tells whether the SaaS speaks HTTP/2 (RFC 9113 section 3.3).
	may2 := t.Scheme == "https" && out.Proto == "HTTP/2.0" && !h.only1.Load()
	wants2 := t.Protocol == "h2" || t.Protocol == "" && (may2 || h.only2.Load())
	if out.Upgrade != "" {
		return h.overUpgrade(ctx, t, out)
	}
	if wants2 {
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

// overUpgrade opens a WebSocket: by an upgrade, which every SaaS takes that has
// HTTP/1.1 at all, and else by an extended CONNECT. The answer fits the agent's
// way of asking, whichever it was.
func (h *host) overUpgrade(ctx context.Context, t *Target, out *wire.Request) (*wire.Response, error) {
	if t.Protocol == "h2" || t.Protocol == "" && h.only2.Load() {
		return h.overConnect(ctx, out)
	}
	keyed, ours := keyed(out)
	resp, err := h.overH1(ctx, keyed)
	if t.Protocol == "" && err != nil && isNoProtocol(err) {
		h.only2.Store(true)
		return h.overConnect(ctx, out)
	}
	if ours && resp != nil {
		resp.Fields = h1.RemoveListed(resp.Fields, wsAccept)
	}
	return resp, err
}

// isNoProtocol: the SaaS takes no HTTP/1.1 (alert 120, RFC 7301 section 3.2).
func isNoProtocol(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert) && alert == 120
}

// untilOver ends total once the answer is done with.
func untilOver(resp *wire.Response, total context.CancelFunc) *wire.Response {
	switch {
	case resp == nil:
		total()
	case resp.Body != nil:
		resp.Body = &closing{ReadCloser: resp.Body, also: total}
	case resp.Switched == nil: // a switched stream keeps its bound
		total()
	}
	return resp
}

// host is one authority's connections within a Pool.
type host struct {
	pool  *Pool
	key   hostKey
	addr  string
	tls1  *tls.Config // offers http/1.1; nil without TLS
	tls2  *tls.Config // offers h2 and http/1.1
	slots chan struct{}
	only1 atomic.Bool  // the SaaS chose http/1.1 when it was offered both
	only2 atomic.Bool  // the SaaS refused http/1.1
	last  atomic.Int64 // the pool's turn when it was last asked for
	h2    *http.Transport

	mu    sync.Mutex
	idle  []*upconn // the most recently used is last
	sweep *sweeper
	ended bool
}

// maxHosts is how many authorities a Pool keeps connections and TLS sessions for.
// An adapter can name hosts without a number (*.acme.example), and an agent asks
// for as many.
const maxHosts = 64

func (p *Pool) host(t *Target) (*host, error) {
	key := hostKey{t.Scheme, t.Authority, t.Addr, t.TLS, t.Proxy}
	if found, ok := p.hosts.Load(key); ok {
		h := found.(*host)
		h.last.Store(p.turn.Add(1))
		return h, nil
	}
	name, addr, err := whereTo(t)
	if err != nil {
		return nil, &wire.Error{Stage: wire.StageAddress, Err: err}
	}
	h := &host{pool: p, key: key, addr: addr, slots: make(chan struct{}, p.cfg.MaxConns)}
	if t.Scheme == "https" {
		// Sessions are kept here and no further: one that was made under other
		// authorities, or in another lease, is not taken up again.
		cache := tls.NewLRUClientSessionCache(8)
		h.tls1, h.tls2 = tlsFor(t, name, cache, "http/1.1"), tlsFor(t, name, cache, "h2", "http/1.1")
		if t.Protocol == "h2" {
			h.tls2.NextProtos = []string{"h2"}
		}
	}
	h.h2 = h.newH2()
	h.last.Store(p.turn.Add(1))
	was, loaded := p.hosts.LoadOrStore(key, h)
	switch {
	case loaded:
	case p.ctx.Err() != nil:
		h.end()
	default:
		p.forget()
	}
	return was.(*host), nil
}

// forget lets hosts go beyond maxHosts, those first that were asked for longest
// ago. What is under way there goes on, and its connections end with it.
func (p *Pool) forget() {
	for {
		n, last := 0, int64(math.MaxInt64)
		var oldest *host
		p.hosts.Range(func(_, it any) bool {
			h := it.(*host)
			if at := h.last.Load(); at < last {
				oldest, last = h, at
			}
			n++
			return true
		})
		if n <= maxHosts {
			return
		}
		p.hosts.CompareAndDelete(oldest.key, oldest)
		oldest.end()
	}
}

func tlsFor(t *Target, name string, cache tls.ClientSessionCache, protocols ...string) *tls.Config {
	c := &tls.Config{}
	if t.TLS != nil {
		c = t.TLS.Clone()
	}
	c.InsecureSkipVerify = false
	if c.MinVersion < tls.VersionTLS12 {
		c.MinVersion = tls.VersionTLS12
	}
	c.ClientSessionCache, c.ServerName, c.NextProtos = cache, name, protocols
	return c
}

// whereTo is the name of the SaaS and the host:port to dial.
func whereTo(t *Target) (name, addr string, err error) {
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
	if t.Scheme != "http" && t.Scheme != "https" {
		return "", "", errors.New("the target's scheme is neither http nor https")
	}
	if addr = t.Addr; addr == "" {
		addr = net.JoinHostPort(name, port)
	}
	return name, addr, nil
}
