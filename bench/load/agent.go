// Package load is the bench's agents: they reach the origin through a proxy by
// CONNECT and TLS, in a closed loop, with as little of their own as possible,
// for generator and origin share a core and must not be what limits a figure.
package load

import (
	"bufio"
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

// patience bounds each step of opening a tunnel.
const patience = 15 * time.Second

// Agent is how one agent gets to the origin. It may be used by one goroutine
// at a time.
type Agent struct {
	// Proxy is the proxy's address; empty goes straight to Direct.
	Proxy string
	// Direct is the origin's address when there is no proxy.
	Direct string
	// Authorization is the value of Proxy-Authorization; empty sends none.
	Authorization string
	// Host is the origin's name; agents ask for Port there, 443 when it is empty.
	Host, Port string
	// Roots is what the agent trusts.
	Roots *x509.CertPool
	// Protocol is what the agent offers in ALPN and then speaks: http/1.1 or h2.
	Protocol string
	// Cookies is the value of the agent's Cookie header.
	Cookies string
	// Tickets, when set, lets a new tunnel resume the TLS session of an earlier one.
	Tickets tls.ClientSessionCache
	// Opened and Resumed count the tunnels that were opened and those whose TLS
	// session was resumed.
	Opened, Resumed int64
}

// Tunnel is one open tunnel with its TLS session. It may be used by one
// goroutine at a time.
type Tunnel struct {
	// Resumed says whether the TLS session was.
	Resumed bool
	// Issuer is the common name of who issued the certificate that was shown.
	Issuer string

	conn *tls.Conn
	in   *bufio.Reader
	h1   *h1
	h2   *h2
}

// Open dials, asks for the tunnel and shakes hands. When ctx ends, whatever is
// going on in the tunnel fails.
func (a *Agent) Open(ctx context.Context) (*Tunnel, error) {
	addr := a.Proxy
	if addr == "" {
		addr = a.Direct
	}
	d := net.Dialer{Timeout: patience}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	t, err := a.shake(ctx, raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return t, nil
}

func (a *Agent) shake(ctx context.Context, raw net.Conn) (*Tunnel, error) {
	if err := raw.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if a.Proxy != "" {
		if err := a.connect(raw); err != nil {
			return nil, err
		}
	}
	c := tls.Client(raw, &tls.Config{ServerName: a.Host, RootCAs: a.Roots, NextProtos: []string{a.Protocol}, ClientSessionCache: a.Tickets})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls handshake: %w", err)
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	state := c.ConnectionState()
	a.Opened++
	if state.DidResume {
		a.Resumed++
	}
	t := &Tunnel{Resumed: state.DidResume, conn: c, in: bufio.NewReaderSize(c, 4<<10)}
	if len(state.PeerCertificates) > 0 {
		t.Issuer = state.PeerCertificates[0].Issuer.CommonName
	}
	if a.Protocol == "h2" {
		if state.NegotiatedProtocol != "h2" {
			return nil, fmt.Errorf("tls handshake: the proxy speaks no h2 (it chose %q)", state.NegotiatedProtocol)
		}
		var err error
		t.h2, err = newH2(c, t.in, a)
		return t, err
	}
	t.h1 = newH1(c, t.in, a)
	return t, nil
}

// authority is what the agent's requests name: without the port of https.
func (a *Agent) authority() string {
	if a.Port == "" {
		return a.Host
	}
	return net.JoinHostPort(a.Host, a.Port)
}

// connect asks for the tunnel. The answer is read byte by byte up to its end:
// what follows belongs to TLS.
func (a *Agent) connect(c net.Conn) error {
	authority := net.JoinHostPort(a.Host, cmp.Or(a.Port, "443"))
	head := "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
	if a.Authorization != "" {
		head += "Proxy-Authorization: " + a.Authorization + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	answer := make([]byte, 0, 1024)
	for !strings.HasSuffix(string(answer), "\r\n\r\n") {
		// a server does not speak first in TLS: nothing beyond the head can be there yet
		n, err := c.Read(answer[len(answer):cap(answer)])
		if err != nil {
			return fmt.Errorf("connect: %w after %q", err, answer)
		}
		answer = answer[:len(answer)+n]
		if len(answer) == cap(answer) {
			return fmt.Errorf("connect: long answer %q", answer)
		}
		if status, _, ok := strings.Cut(string(answer), "\r\n"); ok && !strings.HasPrefix(status, "HTTP/1.1 200") && !strings.HasPrefix(status, "HTTP/1.0 200") {
			return fmt.Errorf("connect: the proxy answered %q", status)
		}
	}
	return nil
}

// Small gets one small page and checks its length.
func (t *Tunnel) Small() error {
	if t.h2 != nil {
		return t.h2.small()
	}
	return t.h1.small()
}

// Down gets n bytes. HTTP/1.1 only.
func (t *Tunnel) Down(n int64) error { return t.h1.down(n) }

// Up posts n bytes. HTTP/1.1 only.
func (t *Tunnel) Up(n int64) error { return t.h1.up(n) }

// Cut closes the connection without a word, so that whoever is blocked in
// another method returns. It may be called from any goroutine.
func (t *Tunnel) Cut() { t.conn.NetConn().Close() }

// Close ends the TLS session and the connection.
func (t *Tunnel) Close() {
	_ = t.conn.Close() // the other side may have gone first
}
