package wire

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server on a loopback port with one door for every connection.
type rig struct {
	t    testing.TB
	srv  *Server
	addr string
	tls  *tls.Config // the agents' side
	wg   sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

var agentsTLS = sync.OnceValue(func() *httptest.Server {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	s.Close()
	return s
})

// newRig serves door with TLS (alpn not "") or without.
func newRig(t testing.TB, cfg Config, alpn string, door Door) *rig {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, srv: NewServer(cfg), addr: l.Addr().String()}
	if door.Malformed == nil {
		door.Malformed = func(_ context.Context, m *Malformed) *Response {
			return text(m.Status, string(m.Code)+": "+m.Detail)
		}
	}
	var serverTLS *tls.Config
	if alpn != "" {
		made := agentsTLS()
		serverTLS = &tls.Config{Certificates: made.TLS.Certificates, NextProtos: []string{alpn}}
		r.tls = &tls.Config{RootCAs: made.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com", NextProtos: []string{alpn}}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() {
				scheme, proto := "http", ""
				if serverTLS != nil {
					scheme = "https"
					secured := tls.Server(conn, serverTLS)
					if secured.HandshakeContext(ctx) != nil {
						conn.Close()
						return
					}
					conn, proto = secured, secured.ConnectionState().NegotiatedProtocol
				}
				err := r.srv.Serve(ctx, conn, proto, scheme, door)
				r.mu.Lock()
				r.errs = append(r.errs, err)
				r.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		r.wg.Wait()
	})
	return r
}

func text(status int, s string) *Response {
	return &Response{Status: status, Length: int64(len(s)), Body: io.NopCloser(strings.NewReader(s)),
		Fields: []Field{{Name: "Content-Type", Value: "text/plain"}}}
}

// plain dials without any judgement: the tests' origins are on loopback.
func plain(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// origin is a SaaS; target is where it is.
func origin(t testing.TB, alpn string, h http.Handler) (*httptest.Server, *Target) {
	s := httptest.NewUnstartedServer(h)
	if alpn == "h2" {
		s.EnableHTTP2 = true
	}
	if alpn == "" {
		s.Start()
	} else {
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	tg := &Target{Scheme: "http", Authority: "example.com", Addr: s.Listener.Addr().String()}
	if alpn != "" {
		tg.Scheme = "https"
		tg.TLS = &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	}
	return s, tg
}

// through is a door that passes everything on to t.
func through(p *Pool, t *Target) Door {
	return Door{Walk: func(ctx context.Context, in *Request) *Response {
		resp, err := p.RoundTrip(ctx, t, in)
		if err != nil {
			return text(502, err.Error())
		}
		return resp
	}}
}

func newPool(t testing.TB, cfg Config) *Pool {
	p := NewPool(cfg, plain)
	t.Cleanup(p.Close)
	return p
}
