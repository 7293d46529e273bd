package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
)

var errPending = errors.New("wire: not in place")

// Server carries agents' connections.
type Server struct{ cfg Config }

// NewServer fills what is zero in cfg.
func NewServer(cfg Config) *Server { cfg.SetDefaults(); return &Server{cfg: cfg} }

// Serve blocks until the connection ends.
func (s *Server) Serve(ctx context.Context, conn net.Conn, alpn, scheme string, door Door) error {
	return errPending
}

// Guard is the strict reader in front of another parser.
func (s *Server) Guard(conn net.Conn) net.Conn { return conn }

// Shutdown lets exchanges end.
func (s *Server) Shutdown(ctx context.Context) error { return errPending }

// HeadOf is the head that a guarded connection delivered last.
func HeadOf(conn net.Conn) (*Head, bool) { return nil, false }

// FromHTTP is r in neutral form.
func FromHTTP(r *http.Request) (*Request, *Malformed) { return nil, ambiguous("not in place") }

// Dialer dials only what may be dialled.
type Dialer struct{ Allow []netip.Prefix }

// Dial dials exactly the address that was checked.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return nil, errPending
}

// Target is where a request goes.
type Target struct {
	Scheme, Authority, Addr string
	TLS                     *tls.Config
	Protocol                string
}

// Pool keeps connections to the SaaS.
type Pool struct{ cfg Config }

// NewPool makes one, per lease.
func NewPool(cfg Config, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Pool {
	return &Pool{cfg: cfg}
}

// RoundTrip is one round trip.
func (p *Pool) RoundTrip(ctx context.Context, t *Target, out *Request) (*Response, error) {
	return nil, errPending
}

// Close is at once.
func (p *Pool) Close() {}
