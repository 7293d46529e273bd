// Package netconn closes connections that are wrapped in one another.
package netconn

import (
	"errors"
	"net"
)

// Cut closes the innermost connection of conn, without a closing handshake:
// tls.Conn.Close would wait until it can write close_notify. Reads and writes in
// progress on conn fail.
func Cut(conn net.Conn) {
	for {
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			_ = conn.Close()
			return
		}
		conn = wrapper.NetConn()
	}
}

// CloseWrite closes the writing half of conn. It returns errors.ErrUnsupported if
// conn cannot be closed in halves.
func CloseWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// IsTimeout reports whether err is a net.Error for a deadline that passed. It does
// not look at wrapped errors.
func IsTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
