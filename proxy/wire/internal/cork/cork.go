package cork

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Cork gathers what TLS writes record by record, so that the records of a large
// body go out in one system call. It is embedded in the connection under TLS,
// which calls Write. While nobody holds it, it only passes on. Methods may be
// called concurrently; the zero value is ready.
type Cork struct {
	mu   sync.Mutex
	on   bool
	held []byte
}

const (
	corked     = 64 << 10 // held at most, and a little more: what the kernel sends at once
	wholeTLS   = 16<<10 + 256 + 5
	corkedRoom = corked + 2*wholeTLS
)

var corks = sync.Pool{New: func() any { b := make([]byte, 0, corkedRoom); return &b }}

// Write passes p to conn, or keeps it until Release.
func (c *Cork) Write(conn net.Conn, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		return conn.Write(p)
	}
	c.held = append(c.held, p...)
	return len(p), nil
}

// hold begins to gather.
func (c *Cork) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		c.on, c.held = true, (*corks.Get().(*[]byte))[:0]
	}
}

// full says that enough was gathered.
func (c *Cork) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held) >= corked
}

// release writes what was gathered.
func (c *Cork) release(conn net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		return nil
	}
	held := c.held
	c.on, c.held = false, nil
	var err error
	if len(held) > 0 {
		_, err = conn.Write(held)
	}
	if cap(held) <= 2*corkedRoom {
		held = held[:0]
		corks.Put(&held)
	}
	return err
}

// Corkable is a connection under TLS with a Cork.
type Corked interface {
	Cork() (*Cork, net.Conn) // and what it writes to
}

// gather is the sending side of one large body. The zero value gathers nothing.
type Batch struct {
	cork *Cork
	to   net.Conn
}

// gatherOn finds the cork of a connection, if it has one.
func NewBatch(conn net.Conn) Batch {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return Batch{}
	}
	c, ok := secured.NetConn().(Corked)
	if !ok {
		return Batch{}
	}
	cork, to := c.Cork()
	return Batch{cork, to}
}

// active reports whether pieces are gathered at all.
func (g *Batch) Active() bool { return g.cork != nil }

// before is called before a piece is sent: more says that another one can be
// read at once, so that this one loses no time by waiting for it.
func (g *Batch) Before(more bool) {
	if g.cork != nil && more {
		g.cork.hold()
	}
}

// after is called when the piece was sent.
func (g *Batch) After(more bool) error {
	if g.cork == nil || more && !g.cork.full() {
		return nil
	}
	return g.cork.release(g.to)
}

// waiting tells whether a socket holds at least one whole TLS record.
type RecordProbe struct{ raw syscall.RawConn }

func NewRecordProbe(conn net.Conn) RecordProbe {
	for {
		if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = inner.NetConn()
			continue
		}
		if c, ok := conn.(Corked); ok {
			_, conn = c.Cork()
			continue
		}
		break
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return RecordProbe{}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return RecordProbe{}
	}
	return RecordProbe{raw}
}

func (w RecordProbe) HasRecord() (is bool) {
	if w.raw == nil {
		return false
	}
	err := w.raw.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
		is = err == nil && n >= wholeTLS
	})
	return err == nil && is
}
