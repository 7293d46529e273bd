package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/proxy/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTLS is a closed server whose certificate, and the pool that trusts it, the
// tests use. The certificate is for example.com and the loopback addresses.
var testTLS = sync.OnceValue(func() *httptest.Server {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.StartTLS()
	s.Close()
	return s
})

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

func newPool(t testing.TB, cfg wire.Config) *Pool {
	p := NewPool(cfg, plain)
	t.Cleanup(p.Close)
	return p
}

// plain dials without any judgement: the tests' origins are on loopback.
func plain(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}
