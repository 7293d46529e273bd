package agents

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// guardedConn is a connection whose Read gives another parser only bytes that were
// checked: heads as they came, and bodies that were framed again. After CONNECT or an
// upgrade it holds back what follows until the parser has answered. With 200 or 101
// the rest is not HTTP and passes unchanged; otherwise the next head is checked.
//
// Read is called by one goroutine at a time, concurrently with Write and the methods
// that set deadlines.
type guardedConn struct {
	net.Conn
	cfg     *wire.Config
	respond func(context.Context, *wire.Malformed) *wire.Response

	// raw is set when the connection is not HTTP any more.
	raw atomic.Bool

	// What follows is owned by the goroutine that calls Read.
	reader   h1.Reader
	head     h1.RequestHead
	body     *h1.Body        // of head; nil when the next head is due
	out      []byte          // checked bytes that Read returns next
	err      error           // what Read returns after out
	badHead  *wire.Malformed // why the next head is not accepted
	answered atomic.Bool     // badHead was answered; Write reads it

	// badBody is why the current body is not accepted. Whoever reads the body
	// answers.
	badBody atomic.Pointer[wire.Malformed]

	mu       sync.Mutex
	awaiting bool          // a CONNECT or an upgrade has not been answered
	holding  bool          // Read holds badHead back until the parser waits for a head
	changed  chan struct{} // closed and replaced when awaiting or deadline changes
	deadline time.Time     // the parser's read deadline
}

// interrupted is the time before which a read deadline lies by which the parser ends
// its own read. It will read again later.
var interrupted = time.Unix(2, 0)

// Guard returns conn with a strict reader of HTTP/1.1 in front of the parser that
// reads from it. The reader accepts targets in absolute form and in authority form.
//
// The parser sets the deadlines between messages; Guard sets those within a head and
// a body, and the deadline of each write. A head that cannot be carried or is too
// slow is answered by respond, as Callbacks.Malformed is called, and the parser's own
// 400 is dropped.
//
// conn must not be used afterwards. The guard of an Incoming begins with the bytes that
// it has.
func (s *Server) Guard(conn net.Conn, respond func(context.Context, *wire.Malformed) *wire.Response) net.Conn {
	g := &guardedConn{
		Conn:    conn,
		cfg:     &s.cfg,
		respond: respond,
		reader:  h1.Reader{Conn: conn},
		changed: make(chan struct{}),
	}
	if in, ok := conn.(*Incoming); ok {
		g.Conn, g.reader = in.Conn, in.reader
	}
	return g
}

// GuardFault returns why the body on a guarded connection is malformed, nil if it is
// not. A parser takes every error of a read for a disconnect and drops the cause.
func GuardFault(conn net.Conn) *wire.Malformed {
	if g := guardOf(conn); g != nil {
		return g.badBody.Load()
	}
	return nil
}

// guardOf returns the guard that is conn or below it, or nil.
func guardOf(conn net.Conn) *guardedConn {
	for {
		switch c := conn.(type) {
		case *guardedConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// Unguard returns the connection below a guard that passes bytes unchanged and holds
// none of them back. It returns any other connection as it is. It must be called by
// the goroutine that reads.
func Unguard(conn net.Conn) net.Conn {
	g := guardOf(conn)
	if g != nil && g.raw.Load() && len(g.out) == 0 && g.reader.Empty() {
		g.reader.ReleaseBuffer()
		return g.Conn
	}
	return conn
}

// Cut closes an agent's connection and what is below it, without a closing
// handshake of TLS. Reads and writes in progress fail.
func Cut(conn net.Conn) { netconn.Cut(conn) }

// NetConn returns the connection below the guard.
func (g *guardedConn) NetConn() net.Conn { return g.Conn }

// CloseWrite closes the writing half if the connection has one.
func (g *guardedConn) CloseWrite() error {
	err := netconn.CloseWrite(g.Conn)
	if err == errors.ErrUnsupported {
		return nil
	}
	return err
}

// Close closes the connection and ends a Read that waits for the parser.
func (g *guardedConn) Close() error {
	g.mu.Lock()
	g.deadline = time.Unix(1, 0)
	g.notifyChange()
	g.mu.Unlock()
	return g.Conn.Close()
}

func (g *guardedConn) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	g.deadline = t
	if g.awaiting || g.holding {
		g.notifyChange()
	}
	g.mu.Unlock()
	return g.Conn.SetReadDeadline(t)
}

func (g *guardedConn) SetDeadline(t time.Time) error {
	if err := g.SetReadDeadline(t); err != nil {
		return err
	}
	return g.Conn.SetWriteDeadline(t)
}

// notifyChange wakes a Read that waits for a change; mu is held.
func (g *guardedConn) notifyChange() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// wasInterrupted reports whether the parser ended the current read with a deadline
// long past.
func (g *guardedConn) wasInterrupted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return isInterrupt(g.deadline)
}

func isInterrupt(deadline time.Time) bool { return !deadline.IsZero() && deadline.Before(interrupted) }

// Write passes on what the parser writes. It looks for the response to a CONNECT or
// an upgrade.
func (g *guardedConn) Write(p []byte) (int, error) {
	if g.answered.Load() && hasPrefix(p, "HTTP/1.1 400 Bad Request") {
		return len(p), nil // the response to badHead was written
	}
	if !g.raw.Load() {
		_ = g.Conn.SetWriteDeadline(time.Now().Add(g.cfg.BodyStall))
		g.noteResponse(p)
	}
	return g.Conn.Write(p)
}

// noteResponse ends the wait for the response to a CONNECT or an upgrade if p begins
// with it.
func (g *guardedConn) noteResponse(p []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()

	const status = len("HTTP/1.1 ") // where the three digits are
	if !g.awaiting || len(p) < status+3 {
		return
	}
	code := string(p[status : status+3])
	if hasPrefix(p, "HTTP/1.") && (code[0] == '2' || code == "101") {
		g.raw.Store(true)
	}
	if code[0] != '1' || code == "101" { // not an interim response
		g.awaiting = false
		g.notifyChange()
	}
}

func hasPrefix(p []byte, prefix string) bool {
	return len(p) >= len(prefix) && string(p[:len(prefix)]) == prefix
}
