package agents

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/byline-proxy/byline/proxy/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serveTLS starts a Server that speaks the given protocol over TLS on a loopback
// port, and returns its address. The certificate is not trusted by anybody.
func serveTLS(t testing.TB, protocol string, callbacks wire.Callbacks) (addr string) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	certificate.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certificate.TLS.Certificates,
		NextProtos:   []string{protocol},
	})
	if err != nil {
		t.Fatal(err)
	}

	server := NewServer(wire.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serveConn(ctx, server, conn.(*tls.Conn), callbacks) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		cancel()
		serving.Wait()
	})
	return listener.Addr().String()
}

func serveConn(ctx context.Context, server *Server, conn *tls.Conn, callbacks wire.Callbacks) {
	if conn.HandshakeContext(ctx) != nil {
		conn.Close()
		return
	}
	_ = server.Serve(ctx, conn, conn.ConnectionState().NegotiatedProtocol, "https", callbacks)
}

// respondText returns callbacks that read the body and respond with body. A malformed
// message gets its status and its detail.
func respondText(body string) wire.Callbacks {
	return wire.Callbacks{
		Exchange: func(_ context.Context, in *wire.Request) *wire.Response {
			if in.Body != nil {
				_, _ = io.Copy(io.Discard, in.Body)
			}
			return textResponse(200, body)
		},
		Malformed: func(_ context.Context, m *wire.Malformed) *wire.Response {
			return textResponse(m.Status, string(m.Code)+": "+m.Detail)
		},
	}
}

func textResponse(status int, body string) *wire.Response {
	return &wire.Response{
		Status: status,
		Fields: []wire.Field{{Name: "Content-Type", Value: "text/plain"}},
		Length: int64(len(body)),
		Body:   io.NopCloser(strings.NewReader(body)),
	}
}

// recordingConn is a connection that keeps what is written to it.
type recordingConn struct {
	net.Conn
	written []byte
}

func (c *recordingConn) Write(p []byte) (int, error) {
	c.written = append(c.written, p...)
	return len(p), nil
}
