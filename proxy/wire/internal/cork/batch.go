package cork

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Batch is the sending side of one large body. Its zero value gathers nothing.
type Batch struct {
	cork *Cork
	conn net.Conn
}

// NewBatch returns a Batch for a body that is written to conn. If conn is not TLS
// over a Corked connection, the Batch gathers nothing.
func NewBatch(conn net.Conn) Batch {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return Batch{}
	}
	corked, ok := secured.NetConn().(Corked)
	if !ok {
		return Batch{}
	}
	cork, below := corked.Cork()
	return Batch{cork, below}
}

// Active reports whether the Batch gathers anything.
func (b *Batch) Active() bool { return b.cork != nil }

// Before is called before each piece of the body is written. more says that another
// piece can be read without waiting, so that this one may be held back.
func (b *Batch) Before(more bool) {
	if b.cork != nil && more {
		b.cork.hold()
	}
}

// After is called after each piece, with the same value of more. It writes what was
// gathered if there is nothing more to come or enough has been gathered.
func (b *Batch) After(more bool) error {
	if b.cork == nil || more && !b.cork.full() {
		return nil
	}
	return b.cork.release(b.conn)
}

// RecordProbe looks whether the next read of a connection can return without
// waiting. Its zero value always denies.
type RecordProbe struct{ raw syscall.RawConn }

// NewRecordProbe returns a RecordProbe for the socket below conn.
func NewRecordProbe(conn net.Conn) RecordProbe {
	socket, ok := innermost(conn).(syscall.Conn)
	if !ok {
		return RecordProbe{}
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return RecordProbe{}
	}
	return RecordProbe{raw}
}

// innermost returns the connection below all wrappers of conn.
func innermost(conn net.Conn) net.Conn {
	for {
		if wrapper, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = wrapper.NetConn()
			continue
		}
		if corked, ok := conn.(Corked); ok {
			_, conn = corked.Cork()
			continue
		}
		return conn
	}
}

// HasRecord reports whether the socket holds the bytes of at least one whole TLS
// record.
func (p RecordProbe) HasRecord() bool {
	if p.raw == nil {
		return false
	}

	has := false
	err := p.raw.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		has = err == nil && n >= recordBytes
	})
	return err == nil && has
}
