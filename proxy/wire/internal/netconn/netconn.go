package netconn

import (
	"errors"
	"net"
)

// cut closes a connection without a farewell: tls.Conn.Close would wait for
// room to say close_notify.
func Cut(conn net.Conn) {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			_ = conn.Close()
			return
		}
		conn = inner.NetConn()
	}
}

// closeWrite ends the writing half of a connection.
func CloseWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func IsTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
