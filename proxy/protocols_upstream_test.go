package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestTLSSessionsAreResumed checks that an agent resumes its session in the next
// tunnel, and Byline in the next connection to the application.
func TestTLSSessionsAreResumed(t *testing.T) {
	var full, resumed atomic.Int64 // handshakes with the application
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		} else {
			full.Add(1)
		}
		w.Header().Set("Connection", "close") // net/http sends GOAWAY for it over HTTP/2
		fmt.Fprint(w, "hello")
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		full.Store(0)
		resumed.Store(0)

		config := p.agentTLS()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		for i := range 4 {
			conn := tls.Client(p.openTunnel(), config)
			if err := conn.Handshake(); err != nil {
				p.t.Fatal(err)
			}
			state := conn.ConnectionState()
			if want := i > 0; state.DidResume != want {
				p.t.Errorf("tunnel %d resumed a session: %v, want %v", i, state.DidResume, want)
			}
			if want := config.NextProtos[0]; state.NegotiatedProtocol != want {
				p.t.Errorf("tunnel %d negotiated %q, want %q", i, state.NegotiatedProtocol, want)
			}
			_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, _ = conn.Read(make([]byte, 1)) // receives the ticket, which follows the handshake
			conn.Close()
		}

		for range 4 {
			p.checkBody(p.get("/page"), "hello")
		}
		if resumed.Load() < 3 { // the first connection was the login's
			p.t.Errorf("%d connections to the application resumed a session and %d did not, want at least 3 that did", resumed.Load(), full.Load())
		}
	})
}

// TestIPv6AddressNeedsTheGuardsPermission uses an application at [::1], with and
// without permission for private IPv6 addresses.
func TestIPv6AddressNeedsTheGuardsPermission(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	ln.Close()
	listenAtIPv6 := func(s *httptest.Server) {
		_ = s.Listener.Close()
		var err error
		if s.Listener, err = net.Listen("tcp", "[::1]:0"); err != nil {
			t.Fatal(err)
		}
	}
	allowIPv6 := func(o *Options) { o.Guard = append(o.Guard, netip.MustParsePrefix("::1/128")) }

	for _, to := range []string{"h1", "h2"} {
		t.Run("permitted, "+to, func(t *testing.T) {
			p := newProtocolTest(t, "h1", to, func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.RemoteAddr, "[::1]:") {
					t.Errorf("the request came from %s, want [::1]", r.RemoteAddr)
				}
				fmt.Fprint(w, "hello")
			}, protocolOptions{changeApp: listenAtIPv6, changeServer: allowIPv6})
			p.checkBody(p.get("/"), "hello")
		})
		t.Run("not permitted, "+to, func(t *testing.T) {
			p := newProtocolTest(t, "h1", to, func(http.ResponseWriter, *http.Request) {
				t.Error("a request reached an address that the guard does not permit")
			}, protocolOptions{changeApp: listenAtIPv6})
			if resp := p.get("/"); resp.StatusCode != http.StatusBadGateway {
				t.Errorf("GET /: status %d, want 502", resp.StatusCode)
			}
		})
	}
}
