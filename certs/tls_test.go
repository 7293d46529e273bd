package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
)

// tunnelled is a connection that knows which host its tunnel is for.
type tunnelled struct {
	net.Conn
	host string
}

func hostOf(c net.Conn) string { return c.(tunnelled).host }

// shake opens a tunnel to host and does an agent's handshake in it. The agent
// reads one byte, so that session tickets have reached it.
func shake(t testing.TB, server *tls.Config, host string, agent *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, r := net.Pipe()
	defer l.Close()
	defer r.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := tls.Server(tunnelled{r, host}, server)
		if s.Handshake() == nil {
			s.Write([]byte{1})
		}
		r.Close()
	}()
	c := tls.Client(l, agent)
	_, err := io.ReadFull(c, make([]byte, 1))
	l.Close()
	<-done
	return c.ConnectionState(), err
}

func trusting(a *Authority, name string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	return &tls.Config{RootCAs: roots, ServerName: name, NextProtos: []string{"h2"}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

func TestHandshakeAndResumption(t *testing.T) {
	a := newAuthority(t, hosts...)
	server := a.TLSConfig(hostOf)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		agent := trusting(a, "wiki.acme.test")
		agent.MaxVersion = version
		for i, resumed := range []bool{false, true} {
			st, err := shake(t, server, "wiki.acme.test", agent)
			if err != nil || st.DidResume != resumed || st.NegotiatedProtocol != "h2" || st.Version != version {
				t.Errorf("%x, tunnel %d: %v, resumed %v, %q", version, i, err, st.DidResume, st.NegotiatedProtocol)
			}
		}
	}
	byAddress := trusting(a, "10.1.2.3") // Go sends no server name for an address
	if _, err := shake(t, server, "10.1.2.3", byAddress); err != nil {
		t.Errorf("by address: %v", err)
	}
}

func TestI9TheServerNameMustBeTheTunnels(t *testing.T) {
	a := newAuthority(t, hosts...)
	server := a.TLSConfig(hostOf)
	if _, err := shake(t, server, "wiki.acme.test", trusting(a, "a.apps.acme.test")); err == nil {
		t.Error("another server name was taken")
	}
	if _, err := shake(t, server, "bank.test", trusting(a, "bank.test")); err == nil {
		t.Error("a tunnel to an unnamed host was served")
	}
	// A ticket must not carry an agent past the check in its next tunnel.
	agent := trusting(a, "wiki.acme.test")
	if _, err := shake(t, server, "wiki.acme.test", agent); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, server, "a.apps.acme.test", agent); err == nil {
		t.Error("a resumed session was taken for another host")
	}
	if err := a.Permit([]string{"rt.acme.test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, server, "wiki.acme.test", agent); err == nil {
		t.Error("a resumed session outlived the host's permission")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a := newAuthority(t, hosts...)
	agent := trusting(a, "wiki.acme.test")
	agent.MinVersion, agent.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	if _, err := shake(t, a.TLSConfig(hostOf), "wiki.acme.test", agent); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

func BenchmarkMint(b *testing.B) {
	a := newAuthority(b, hosts...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.mint(a.issuing.Load(), "wiki.acme.test", a.now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafKept(b *testing.B) {
	a := newAuthority(b, hosts...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Leaf("wiki.acme.test"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	a := newAuthority(b, hosts...)
	server := a.TLSConfig(hostOf)
	for _, resumed := range []bool{false, true} {
		name := map[bool]string{false: "full", true: "resumed"}[resumed]
		b.Run(name, func(b *testing.B) {
			agent := trusting(a, "wiki.acme.test")
			b.ReportAllocs()
			for b.Loop() {
				if !resumed {
					agent.ClientSessionCache = nil
				}
				if _, err := shake(b, server, "wiki.acme.test", agent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
