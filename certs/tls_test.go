package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
)

// tunnelConn is the connection of a tunnel that was opened for host.
type tunnelConn struct {
	net.Conn
	host string
}

func hostOf(c net.Conn) string { return c.(tunnelConn).host }

// handshake opens a tunnel to host and does the handshake of agent in it. The
// agent then reads one byte, so that it has received its session tickets.
func handshake(t testing.TB, server *tls.Config, host string, agent *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	agentSide, serverSide := net.Pipe()
	defer agentSide.Close()
	defer serverSide.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Server(tunnelConn{serverSide, host}, server)
		if conn.Handshake() == nil {
			conn.Write([]byte{1})
		}
		serverSide.Close()
	}()

	conn := tls.Client(agentSide, agent)
	_, err := io.ReadFull(conn, make([]byte, 1))
	agentSide.Close()
	<-done
	return conn.ConnectionState(), err
}

// newAgent returns the configuration of an agent that trusts the root of a and
// sends serverName.
func newAgent(a *Authority, serverName string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	return &tls.Config{
		RootCAs:            roots,
		ServerName:         serverName,
		NextProtos:         []string{"h2"},
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
}

func TestHandshakeAndResumption(t *testing.T) {
	a := newAuthority(t, hosts...)
	server := a.TLSConfig(hostOf)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		agent := newAgent(a, "wiki.acme.test")
		agent.MaxVersion = version
		for i, resumed := range []bool{false, true} {
			state, err := handshake(t, server, "wiki.acme.test", agent)
			if err != nil {
				t.Errorf("%s, tunnel %d: %v", tls.VersionName(version), i, err)
				continue
			}
			if state.DidResume != resumed || state.NegotiatedProtocol != "h2" || state.Version != version {
				t.Errorf("%s, tunnel %d: got %s, resumed %v, protocol %q; want resumed %v and h2",
					tls.VersionName(version), i, tls.VersionName(state.Version), state.DidResume, state.NegotiatedProtocol, resumed)
			}
		}
	}

	byAddress := newAgent(a, "10.1.2.3") // Go sends no server name for an address
	if _, err := handshake(t, server, "10.1.2.3", byAddress); err != nil {
		t.Errorf("the handshake with an address failed: %v", err)
	}
}

func TestI9TheServerNameMustBeTheTunnels(t *testing.T) {
	a := newAuthority(t, hosts...)
	server := a.TLSConfig(hostOf)
	if _, err := handshake(t, server, "wiki.acme.test", newAgent(a, "a.apps.acme.test")); err == nil {
		t.Error("a server name other than the tunnel's host was accepted")
	}
	if _, err := handshake(t, server, "bank.test", newAgent(a, "bank.test")); err == nil {
		t.Error("a tunnel to a host that is not permitted was served")
	}

	// A session ticket must not get an agent past the check in its next tunnel.
	agent := newAgent(a, "wiki.acme.test")
	if _, err := handshake(t, server, "wiki.acme.test", agent); err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server, "a.apps.acme.test", agent); err == nil {
		t.Error("a session was resumed for another host")
	}
	if err := a.Permit([]string{"rt.acme.test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, server, "wiki.acme.test", agent); err == nil {
		t.Error("a session was resumed for a host that is no longer permitted")
	}
}

func TestTLSBefore12IsRefused(t *testing.T) {
	a := newAuthority(t, hosts...)
	agent := newAgent(a, "wiki.acme.test")
	agent.MinVersion, agent.MaxVersion = tls.VersionTLS11, tls.VersionTLS11
	_, err := handshake(t, a.TLSConfig(hostOf), "wiki.acme.test", agent)
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: got %v, want a protocol version alert", err)
	}
}

func BenchmarkHandshake(b *testing.B) {
	a := newAuthority(b, hosts...)
	server := a.TLSConfig(hostOf)
	for _, c := range []struct {
		name    string
		resumed bool
	}{{"full", false}, {"resumed", true}} {
		b.Run(c.name, func(b *testing.B) {
			agent := newAgent(a, "wiki.acme.test")
			b.ReportAllocs()
			for b.Loop() {
				if !c.resumed {
					agent.ClientSessionCache = nil
				}
				if _, err := handshake(b, server, "wiki.acme.test", agent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
