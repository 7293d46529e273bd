package agents

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// recordHandshake is the first byte of a TLS connection (RFC 8446 section 5.1).
const recordHandshake = 0x16

// maxClientHello bounds what is read of a ClientHello, in bytes. Those of browsers with
// keys that withstand quantum computers have some 2 KiB.
const maxClientHello = 64 << 10

// errHelloSeen ends the handshake that only reads the ClientHello.
var errHelloSeen = errors.New("wire: the ClientHello was read")

// IsTLS reports whether the connection begins with a TLS handshake.
func (in *Incoming) IsTLS() bool { return in.First() == recordHandshake }

// ServerName returns the name of the server that the ClientHello asks for (RFC 6066
// section 3), or "" if it names none or the name is malformed. The bytes stay unread for
// whoever performs the handshake. Under encrypted ClientHello the name is that of the
// outer one (RFC 9849).
func (in *Incoming) ServerName(within time.Duration) (string, error) {
	in.bound(within)
	defer in.reader.ClearDeadline()

	var name string
	reader := tls.Server(&helloReader{in: in}, &tls.Config{
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name, _ = h1.CheckAuthority(hello.ServerName)
			return nil, errHelloSeen
		},
	})
	err := reader.HandshakeContext(context.Background())
	if errors.Is(err, errHelloSeen) {
		return name, nil
	}
	return "", err
}

// helloReader reads through what is buffered without taking it, and discards what is
// written: the alert of the handshake that ends early.
type helloReader struct {
	net.Conn // nil: nothing else may be called
	in       *Incoming
	at       int
}

func (r *helloReader) Read(p []byte) (int, error) {
	if r.at >= maxClientHello {
		return 0, io.ErrUnexpectedEOF
	}
	for len(r.in.reader.Buffered()) == r.at {
		if err := r.in.reader.Fill(); err != nil {
			return 0, err
		}
	}

	n := copy(p, r.in.reader.Buffered()[r.at:])
	r.at += n
	return n, nil
}

func (r *helloReader) Write(p []byte) (int, error)      { return len(p), nil }
func (r *helloReader) Close() error                     { return nil }
func (r *helloReader) SetDeadline(time.Time) error      { return nil }
func (r *helloReader) SetReadDeadline(time.Time) error  { return nil }
func (r *helloReader) SetWriteDeadline(time.Time) error { return nil }

// TLSAlert says why a handshake is refused (RFC 8446 section 6.2).
type TLSAlert byte

// Alerts.
const (
	AlertAccessDenied     TLSAlert = 49
	AlertUnrecognizedName TLSAlert = 112 // RFC 6066 section 3
)

// RefuseTLS answers a ClientHello with a fatal alert.
func (in *Incoming) RefuseTLS(alert TLSAlert) error {
	const (
		recordAlert = 0x15
		fatal       = 2
	)
	_, err := in.Write([]byte{recordAlert, 3, 3, 0, 2, fatal, byte(alert)})
	return err
}
