package agents

import (
	"net"
	"slices"
	"time"

	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// Incoming is an agent's connection of which the first bytes were read, to tell the
// protocol by them. Its Read returns these bytes first. It must be used by one
// goroutine at a time, except that Close may be called at any time.
type Incoming struct {
	net.Conn
	reader h1.Reader
}

// Incoming waits for the first bytes of conn, at most for the time that a head may
// take. It does not close conn.
func (s *Server) Incoming(conn net.Conn) (*Incoming, error) {
	in := &Incoming{Conn: conn}
	in.reader.Conn = conn
	if err := in.reader.WaitForMessage(s.cfg.HeadTimeout); err != nil {
		return nil, err
	}
	in.reader.ClearDeadline()
	return in, nil
}

// First returns the first byte that was not taken yet.
func (in *Incoming) First() byte { return in.reader.Buffered()[0] }

// Read returns what was read already, then what the connection has.
func (in *Incoming) Read(p []byte) (int, error) { return in.reader.Read(p) }

// NetConn returns the connection below.
func (in *Incoming) NetConn() net.Conn { return in.Conn }

// CloseWrite closes the writing half if the connection has one.
func (in *Incoming) CloseWrite() error { return netconn.CloseWrite(in.Conn) }

// Detach returns the connection below and the bytes that were read from it and not
// taken. The Incoming must not be used afterwards.
func (in *Incoming) Detach() (net.Conn, []byte) {
	seen := slices.Clone(in.reader.Buffered())
	in.reader.Discard(len(seen))
	in.reader.ReleaseBuffer()
	return in.Conn, seen
}

// need waits until n bytes are buffered and returns them. They are valid until the
// next read.
func (in *Incoming) need(n int) ([]byte, error) {
	for len(in.reader.Buffered()) < n {
		if err := in.reader.Fill(); err != nil {
			return nil, err
		}
	}
	return in.reader.Buffered()[:n], nil
}

// take is need, and the bytes are taken.
func (in *Incoming) take(n int) ([]byte, error) {
	b, err := in.need(n)
	if err == nil {
		b = slices.Clone(b)
		in.reader.Discard(n)
	}
	return b, err
}

// bound sets the deadline for reading what opens the connection.
func (in *Incoming) bound(d time.Duration) { in.reader.ExtendDeadline(d) }
