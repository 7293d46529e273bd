package load

import (
	"bufio"
	"crypto/tls"
	"fmt"
)

// Tunnel is an open tunnel with its TLS session. Except for Abort, its methods
// must not be called from several goroutines at once.
type Tunnel struct {
	// Resumed says whether the TLS session was resumed.
	Resumed bool
	// Issuer is the common name of the issuer of the server's certificate.
	Issuer string

	conn *tls.Conn
	h1   *h1 // nil if the tunnel speaks HTTP/2
	h2   *h2 // nil if the tunnel speaks HTTP/1.1
}

func newTunnel(conn *tls.Conn, state tls.ConnectionState, a *Agent) (*Tunnel, error) {
	t := &Tunnel{Resumed: state.DidResume, conn: conn}
	if len(state.PeerCertificates) > 0 {
		t.Issuer = state.PeerCertificates[0].Issuer.CommonName
	}
	in := bufio.NewReaderSize(conn, 4<<10)
	if a.Protocol != "h2" {
		t.h1 = newH1(conn, in, a)
		return t, nil
	}
	if state.NegotiatedProtocol != "h2" {
		return nil, fmt.Errorf("tls handshake: the server does not speak h2 (it chose %q)", state.NegotiatedProtocol)
	}
	var err error
	t.h2, err = newH2(conn, in, a)
	return t, err
}

// GetPage gets one small page and checks its length.
func (t *Tunnel) GetPage() error {
	if t.h2 != nil {
		return t.h2.getPage()
	}
	return t.h1.getPage()
}

// Download gets a body of n bytes and checks its length. HTTP/1.1 only.
func (t *Tunnel) Download(n int64) error { return t.h1.download(n) }

// Upload posts a body of n bytes and checks that the origin received as many.
// HTTP/1.1 only.
func (t *Tunnel) Upload(n int64) error { return t.h1.upload(n) }

// Abort closes the connection without ending the TLS session, so that any other
// method that is blocked returns. It may be called from any goroutine.
func (t *Tunnel) Abort() { t.conn.NetConn().Close() }

// Close ends the TLS session and closes the connection.
func (t *Tunnel) Close() {
	_ = t.conn.Close() // fails if the other side has closed it already
}
