package protocols

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTLS(t *testing.T) {
	m := newMatrix(t, "")
	clients := newAuthority(t, m.Dir, "clients")
	cert, key := clients.writeLeaf(t)
	demandClientCert := func(s *httptest.Server) {
		pool := x509.NewCertPool()
		pool.AddCert(clients.root)
		s.TLS.ClientAuth = tls.RequireAndVerifyClientCert
		s.TLS.ClientCAs = pool
	}
	for _, p := range protocols {
		m.addAdapter(p, p, m.origin.listen(p, nil), m.trustOrigin(), 1)
		m.addAdapter("wrong-ca-"+p, p, m.origin.listen(p, nil), "ca: "+clients.file, 1)
		m.addAdapter("no-ca-"+p, p, m.origin.listen(p, nil), "", 1)
		m.addAdapter("client-cert-"+p, p, m.origin.listen(p, demandClientCert), fmt.Sprintf("%s, client_cert: %s, client_key: %s", m.trustOrigin(), cert, key), 1)
		m.addAdapter("no-client-cert-"+p, p, m.origin.listen(p, demandClientCert), m.trustOrigin(), 1)
	}
	m.start()
	m.run(
		matrixTest{name: "the agent chooses the protocol", run: testALPN},
		matrixTest{name: "the agent resumes its session in the next tunnel", run: testAgentResumes},
		matrixTest{name: "Byline resumes its session in the next connection", run: testBylineResumes},
		matrixTest{name: "the authority that the adapter names is trusted", run: testPeerCertificate("no certificate")},
		matrixTest{name: "another authority is not trusted", adapter: "wrong-ca-", run: testBadGateway("upstream_tls")},
		matrixTest{name: "a private authority is not trusted without the adapter", adapter: "no-ca-", run: testBadGateway("upstream_tls")},
		matrixTest{name: "the client certificate of the adapter is shown", adapter: "client-cert-", run: testPeerCertificate("clients leaf")},
		matrixTest{name: "a demand for a client certificate fails without one", adapter: "no-client-cert-", run: testBadGateway("login_failed")},
	)
}

// testPeerCertificate checks the common name of the certificate that Byline
// shows the application, or that it shows none.
func testPeerCertificate(want string) func(*cell) {
	return func(c *cell) {
		c.handle(func(w http.ResponseWriter, r *http.Request) {
			name := "no certificate"
			if len(r.TLS.PeerCertificates) > 0 {
				name = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			fmt.Fprint(w, "hello, ", name)
		})
		c.exchange("GET", "/hello").Want(c.t, 200, "hello, "+want)
	}
}

func testBadGateway(code string) func(*cell) {
	return func(c *cell) {
		c.handle(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
		a := c.exchange("GET", "/hello").WantRefusal(c.t, code)
		if a.Status != http.StatusBadGateway {
			c.t.Errorf("got status %d, want 502", a.Status)
		}
	}
}

// testALPN offers several lists of protocols (RFC 7301). Byline prefers HTTP/2.
func testALPN(c *cell) {
	for _, k := range []struct {
		offered []string
		want    string
	}{
		{[]string{"h2", "http/1.1"}, "h2"},
		{[]string{"http/1.1"}, "http/1.1"},
		{[]string{"h2"}, "h2"},
		{nil, ""},
	} {
		config := c.tlsConfig()
		config.NextProtos = k.offered
		conn := tls.Client(c.openTunnel(), config)
		if err := conn.Handshake(); err != nil {
			c.t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != k.want {
			c.t.Errorf("offered %v, negotiated %q, want %q", k.offered, got, k.want)
		}
		conn.Close()
	}
}

func testAgentResumes(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	transport := c.agent.Transport().Clone()
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i := range 3 {
		r := c.newRequest("GET", "/page", nil)
		r.AddCookie(c.borrowed)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			c.t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
			c.t.Errorf("got body %q, error %v; want \"hello\"", body, err)
		}
		resp.Body.Close()
		if got, want := resp.TLS.DidResume, i > 0; got != want {
			c.t.Errorf("tunnel %d resumed a session: %v, want %v", i, got, want)
		}
		transport.CloseIdleConnections()
	}
}

// testBylineResumes has the origin close each connection after an answer. The
// cells of the lease share the tickets, so another cell may have used one.
func testBylineResumes(c *cell) {
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // net/http sends GOAWAY for it over HTTP/2
		fmt.Fprint(w, "resumed: ", r.TLS.DidResume)
	})
	resumed := 0
	for range 5 {
		a := c.exchange("GET", "/page").Want(c.t, 200, "resumed: ")
		if strings.HasSuffix(a.Body, "true") {
			resumed++
		}
	}
	if resumed < 2 {
		c.t.Errorf("%d of 5 connections resumed a session, want at least 2", resumed)
	}
}
