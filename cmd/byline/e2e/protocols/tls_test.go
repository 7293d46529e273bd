package protocols

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTLS(t *testing.T) {
	m := found(t, "")
	clients := newIssuer(t, m.Dir, "clients")
	cert, key := clients.save(t)
	demanding := func(s *httptest.Server) {
		pool := x509.NewCertPool()
		pool.AddCert(clients.root)
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	for _, to := range protocols {
		m.adapter(to, to, m.origin.listens(to, nil), m.trusting(), 1)
		m.adapter("doubting-"+to, to, m.origin.listens(to, nil), "ca: "+clients.file, 1)
		m.adapter("public-"+to, to, m.origin.listens(to, nil), "", 1)
		m.adapter("named-"+to, to, m.origin.listens(to, demanding), fmt.Sprintf("%s, client_cert: %s, client_key: %s", m.trusting(), cert, key), 1)
		m.adapter("nameless-"+to, to, m.origin.listens(to, demanding), m.trusting(), 1)
	}
	m.begin()
	m.keeps(
		promise{name: "the protocol is the agent's choice", test: chooses},
		promise{name: "an agent takes its session up in the next tunnel", test: agentResumes},
		promise{name: "so do we in the next connection", test: weResume},
		promise{name: "a private authority is trusted where an adapter names it", test: greets(200, "")},
		promise{name: "and no other in its place", at: "doubting-", test: greets(502, "upstream_tls")},
		promise{name: "nor without being named", at: "public-", test: greets(502, "upstream_tls")},
		promise{name: "a certificate of ours is shown where one is asked for", at: "named-", test: greets(200, "")},
		promise{name: "and an application that asks in vain is told nothing", at: "nameless-", test: greets(502, "login_failed")},
	)
}

// greets asks for one page.
func greets(status int, code string) func(*cell) {
	return func(c *cell) {
		c.answers(func(w http.ResponseWriter, r *http.Request) {
			who := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				who = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			fmt.Fprint(w, "hello, ", who)
		})
		a := c.agent.Do((c.request("GET", "/hello", nil)))
		if status != 200 {
			if a.WantRefusal(c.t, code); a.Status != status {
				c.t.Errorf("status %d, want %d", a.Status, status)
			}
			return
		}
		a.Want(c.t, 200, map[bool]string{true: "hello, clients leaf", false: "hello, nobody"}[c.host[:6] == "named-"])
	}
}

// chooses: offered both, we speak HTTP/2; offered one, that one.
func chooses(c *cell) {
	for _, k := range []struct {
		offered []string
		want    string
	}{{[]string{"h2", "http/1.1"}, "h2"}, {[]string{"http/1.1"}, "http/1.1"}, {[]string{"h2"}, "h2"}, {nil, ""}} {
		config := c.tls()
		config.NextProtos = k.offered
		conn := tls.Client(c.tunnel(), config)
		if err := conn.Handshake(); err != nil {
			c.t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != k.want {
			c.t.Errorf("of %v we chose %q, want %q", k.offered, got, k.want)
		}
		conn.Close()
	}
}

func agentResumes(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	way := c.agent.Transport().Clone()
	way.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i := range 3 {
		r := c.request("GET", "/page", nil)
		r.AddCookie(c.lent)
		a, err := way.RoundTrip(r)
		if err != nil {
			c.t.Fatal(err)
		}
		if b, err := io.ReadAll(a.Body); string(b) != "hello" || err != nil {
			c.t.Errorf("%q %v", b, err)
		}
		a.Body.Close()
		if got := a.TLS.DidResume; got != (i > 0) {
			c.t.Errorf("tunnel %d resumes: %v", i, got)
		}
		way.CloseIdleConnections()
	}
}

// weResume: the origin ends each connection after an answer. Agents share what the
// lease keeps for the next, so one of them may find it taken.
func weResume(c *cell) {
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // which the library says by GOAWAY in HTTP/2
		fmt.Fprint(w, "resumed: ", r.TLS.DidResume)
	})
	resumed := 0
	for range 5 {
		if c.agent.Do((c.request("GET", "/page", nil))).Want(c.t, 200, "resumed: ").Body == "resumed: true" {
			resumed++
		}
	}
	if resumed < 2 {
		c.t.Errorf("%d of 5 connections were resumed", resumed)
	}
}
