// Package load implements the bench's agents, and the closed and open loops in
// which they work. An agent reaches the origin through a proxy by CONNECT and
// TLS. It uses as little CPU time as possible: generator and origin share a core,
// which must not be what limits a figure.
package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// openTimeout bounds each step of opening a tunnel.
const openTimeout = 15 * time.Second

// Agent says how one agent reaches the origin. It must not be used from several
// goroutines at once.
type Agent struct {
	// Proxy is the address of the proxy. If it is empty, the agent connects to
	// Direct, the address of the origin.
	Proxy  string
	Direct string
	// Authorization is the value of Proxy-Authorization; if empty, none is sent.
	Authorization string
	// Host is the name of the origin, and Port its port; if empty, 443.
	Host, Port string
	// Roots are the certificates that the agent trusts.
	Roots *x509.CertPool
	// Protocol is what the agent offers in ALPN and then speaks: http/1.1 or h2.
	Protocol string
	// Cookies is the value of the Cookie field.
	Cookies string
	// Tickets lets a new tunnel resume the TLS session of an earlier one. If it
	// is nil, each handshake is a full one.
	Tickets tls.ClientSessionCache
	// Opened counts the tunnels that the agent opened; Resumed counts those whose
	// TLS session was resumed.
	Opened, Resumed int64
}

// OpenTunnel dials, asks the proxy for the tunnel and does the TLS handshake. It
// fails if ctx ends during the handshake; the open tunnel does not depend on ctx.
func (a *Agent) OpenTunnel(ctx context.Context) (*Tunnel, error) {
	dialer := net.Dialer{Timeout: openTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", cmp.Or(a.Proxy, a.Direct))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	t, err := a.openOver(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

func (a *Agent) openOver(ctx context.Context, conn net.Conn) (*Tunnel, error) {
	if err := conn.SetDeadline(time.Now().Add(openTimeout)); err != nil {
		return nil, err
	}
	if a.Proxy != "" {
		if err := a.connect(conn); err != nil {
			return nil, err
		}
	}
	secured := tls.Client(conn, &tls.Config{
		ServerName:         a.Host,
		RootCAs:            a.Roots,
		NextProtos:         []string{a.Protocol},
		ClientSessionCache: a.Tickets,
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls handshake: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}

	state := secured.ConnectionState()
	a.Opened++
	if state.DidResume {
		a.Resumed++
	}
	return newTunnel(secured, state, a)
}

// authority returns the authority in the agent's requests, without the default
// port.
func (a *Agent) authority() string {
	if a.Port == "" {
		return a.Host
	}
	return net.JoinHostPort(a.Host, a.Port)
}

// connect sends the CONNECT request and reads the response head. Nothing can
// follow the head yet, because a TLS server does not speak first, so reading in
// large pieces takes no bytes from the tunnel.
func (a *Agent) connect(conn net.Conn) error {
	authority := net.JoinHostPort(a.Host, cmp.Or(a.Port, "443"))
	head := "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
	if a.Authorization != "" {
		head += "Proxy-Authorization: " + a.Authorization + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return fmt.Errorf("connect: %w", err)
	}

	response := make([]byte, 0, 1024)
	for !strings.HasSuffix(string(response), "\r\n\r\n") {
		n, err := conn.Read(response[len(response):cap(response)])
		if err != nil {
			return fmt.Errorf("connect: %w after %q", err, response)
		}
		response = response[:len(response)+n]
		if len(response) == cap(response) {
			return fmt.Errorf("connect: the response is too long: %q", response)
		}
		status, _, complete := strings.Cut(string(response), "\r\n")
		if complete && !strings.HasPrefix(status, "HTTP/1.1 200") && !strings.HasPrefix(status, "HTTP/1.0 200") {
			return fmt.Errorf("connect: the proxy answered %q", status)
		}
	}
	return nil
}
