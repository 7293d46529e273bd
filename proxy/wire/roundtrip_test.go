package wire_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/agents"
	"github.com/byline-proxy/byline/proxy/wire/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBodiesOfEverySizeSurviveARoundTrip sends bodies around the sizes at which
// the code changes its path (one write, one buffer, a stream) through every pair
// of protocols. An echoing application must return each unchanged.
func TestBodiesOfEverySizeSurviveARoundTrip(t *testing.T) {
	for _, from := range []string{"http/1.1", "h2"} {
		for _, to := range []string{"plain http/1.1", "http/1.1", "h2"} {
			t.Run(from+" to "+to, func(t *testing.T) {
				client, url := clientThroughWire(t, from, echoServer(t, to))
				for _, size := range []int{0, 1, 1000, 40 << 10, 64 << 10, 3 << 20} {
					for _, declared := range []bool{true, false} {
						checkEcho(t, client, url, size, declared)
					}
				}
			})
		}
	}
}

// checkEcho posts a body of size bytes and compares what comes back. declared
// says whether the request has a Content-Length.
func checkEcho(t *testing.T, client *http.Client, url string, size int, declared bool) {
	t.Helper()
	body := bytes.Repeat([]byte("x"), size)
	req, err := http.NewRequest(http.MethodPost, url+"/a%2Fb/../c?x=%20&y", io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "wiki.example"
	if declared {
		req.ContentLength = int64(size)
	}

	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%d bytes, declared %v: %v", size, declared, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, declared %v: %d bytes came back, %v", size, declared, len(got), err)
	}
	if saw := resp.Header.Get("X-Saw"); !strings.HasSuffix(saw, " POST /a%2Fb/../c?x=%20&y example.com") {
		t.Errorf("the application saw %q, not the target as it was sent", saw)
	}
}

// echoServer starts an application that returns each body and says in X-Saw
// which request line it read. The result tells how to reach it.
func echoServer(t *testing.T, protocol string) *upstream.Target {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // a body that breaks off comes back too short
		w.Header().Set("X-Saw", r.Proto+" "+r.Method+" "+r.RequestURI+" "+r.Host)
		_, _ = w.Write(b)
	}))
	s.EnableHTTP2 = protocol == "h2"
	t.Cleanup(s.Close)

	if protocol == "plain http/1.1" {
		s.Start()
		return &upstream.Target{Scheme: "http", Authority: "example.com", Addr: s.Listener.Addr().String()}
	}
	s.StartTLS()
	return &upstream.Target{Scheme: "https", Authority: "example.com", Addr: s.Listener.Addr().String(), TLS: &tls.Config{RootCAs: trustedRoots(s)}}
}

// clientThroughWire starts an agents.Server that passes each request on to
// target, and returns a client for it that speaks protocol.
func clientThroughWire(t *testing.T, protocol string, target *upstream.Target) (client *http.Client, url string) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	certificate.Close()
	serverTLS := &tls.Config{Certificates: certificate.TLS.Certificates, NextProtos: []string{protocol}}

	pool := upstream.NewPool(wire.Config{}, new(net.Dialer).DialContext)
	server := agents.NewServer(wire.Config{})
	callbacks := wire.Callbacks{
		Exchange: func(ctx context.Context, in *wire.Request) *wire.Response {
			resp, err := pool.RoundTrip(ctx, target, in)
			if err != nil {
				t.Error(err)
				return nil
			}
			return resp
		},
		Malformed: func(_ context.Context, m *wire.Malformed) *wire.Response {
			t.Error(m)
			return nil
		},
	}

	listener, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			secured := conn.(*tls.Conn)
			serving.Go(func() {
				if secured.HandshakeContext(ctx) != nil {
					secured.Close()
					return
				}
				_ = server.Serve(ctx, secured, secured.ConnectionState().NegotiatedProtocol, "https", callbacks)
			})
		}
	})

	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: trustedRoots(certificate), ServerName: "example.com", NextProtos: []string{protocol}},
		ForceAttemptHTTP2: protocol == "h2",
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		listener.Close()
		cancel()
		serving.Wait()
		pool.Close()
	})
	return &http.Client{Transport: transport}, "https://" + listener.Addr().String()
}

// trustedRoots returns the pool that trusts the certificate of s.
func trustedRoots(s *httptest.Server) *x509.CertPool {
	return s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}
