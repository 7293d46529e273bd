package agents

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

	"github.com/byline-proxy/byline/proxy/wire"
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
func newRig(t testing.TB, cfg wire.Config, alpn string, door wire.Callbacks) *rig {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, srv: NewServer(cfg), addr: l.Addr().String()}
	if door.Malformed == nil {
		door.Malformed = func(_ context.Context, m *wire.Malformed) *wire.Response {
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

func text(status int, s string) *wire.Response {
	return &wire.Response{Status: status, Length: int64(len(s)), Body: io.NopCloser(strings.NewReader(s)),
		Fields: []wire.Field{{Name: "Content-Type", Value: "text/plain"}}}
}
