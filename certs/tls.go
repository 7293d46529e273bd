package certs

import (
	"crypto/tls"
	"fmt"
	"net"
)

// TLSConfig returns the configuration that all tunnels share, so that an agent
// can resume its TLS session in its next tunnel. hostOf returns the host for
// which the tunnel of a connection was opened, or "" if there is none; it is
// called with the connection that was given to [tls.Server], from several
// goroutines at once. The server name that the agent sends must be that host or
// be absent, as it is for IP addresses; otherwise the handshake fails.
func (a *Authority) TLSConfig(hostOf func(net.Conn) string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		// The checks are here because GetCertificate is not called for a resumed
		// session: a ticket from one tunnel must not get an agent past them in
		// another.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			host := canonicalHost(hostOf(hello.Conn))
			if hello.ServerName != "" && canonicalHost(hello.ServerName) != host {
				return nil, fmt.Errorf("certs: the tunnel is for %q but TLS asks for %q", host, hello.ServerName)
			}
			if !a.issuing.Load().names.permits(host) {
				return nil, fmt.Errorf("certs: tunnel to %q: %w", host, ErrNotPermitted)
			}
			return nil, nil
		},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.Leaf(hostOf(hello.Conn))
		},
	}
}
