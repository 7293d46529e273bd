package certs

import (
	"crypto/tls"
	"fmt"
	"net"
)

// TLSConfig is the one configuration for all tunnels, which is what lets an
// agent resume its TLS session in its next tunnel. hostOf says which host a
// tunnel was opened for, "" for none, and is called concurrently with the
// connection that was given to [tls.Server]. The server name that an agent
// sends must be that host, or be absent (as it is for IP addresses).
func (a *Authority) TLSConfig(hostOf func(net.Conn) string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		// GetCertificate is not called for a resumed session; this always is.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			host := canonical(hostOf(hello.Conn))
			if name := hello.ServerName; name != "" && canonical(name) != host {
				return nil, fmt.Errorf("certs: the tunnel is for %q but TLS asks for %q", host, name)
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
