package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// h1 is one agent's HTTP/1.1 connection. One goroutine serves it; the watch
// alone runs beside it. The loop is our own because a parser that repairs, adds
// or leaves out fields cannot be asked to carry them as they are: fasthttp's
// Response drops Date and joins fields, and its Server reads a body's first
// 8 KiB, and says 100 Continue, before anyone decided about the head.
type h1Conn struct {
	s      *Server
	conn   net.Conn
	src    h1.Reader
	scheme string
	door   wire.Callbacks
	ctx    context.Context // ends with the connection: the agent has no other way to cancel
	cancel context.CancelCauseFunc

	msg   h1.RequestHead
	body  *h1.Body // of the request under way, nil without one
	gate  *gate    // of that body, nil unless the agent waits for 100 Continue
	sends time.Time
	busy  atomic.Int32 // idle, inExchange, closed
	watch watch
}

const (
	idle int32 = iota
	inExchange
	shut
)

func newH1(ctx context.Context, cancel context.CancelCauseFunc, s *Server, conn net.Conn, scheme string, door wire.Callbacks) *h1Conn {
	return &h1Conn{s: s, conn: conn, src: h1.Reader{Conn: conn}, scheme: scheme, door: door, ctx: ctx, cancel: cancel}
}

func (c *h1Conn) closeIfIdle() bool {
	if !c.busy.CompareAndSwap(idle, shut) {
		return false
	}
	netconn.Cut(c.conn)
	return true
}

var errMalformed = errors.New("wire: the agent sent what cannot be carried")

// serve is the connection's loop: head, walk, answer.
func (c *h1Conn) serve() error {
	for {
		raw, err := c.src.ReadHead(c.s.cfg.MaxHeadBytes, c.s.cfg.IdleTimeout, c.s.cfg.HeadTimeout)
		if err != nil {
			return c.noHead(err)
		}
		if !c.busy.CompareAndSwap(idle, inExchange) {
			return nil // Shutdown was first
		}
		if bad := h1.ParseRequestHead(string(raw), &c.msg, 0, c.s.cfg.MaxFields); bad != nil {
			return c.refuse(bad)
		}
		c.msg.Scheme = c.scheme
		again, err := c.exchange()
		if err != nil || !again {
			return err
		}
		c.busy.Store(idle)
		if c.s.closing() {
			return nil
		}
	}
}

// noHead ends a connection on which no whole head arrived.
func (c *h1Conn) noHead(err error) error {
	var bad *wire.Malformed
	switch {
	case errors.As(err, &bad):
		return c.refuse(bad)
	case err == io.EOF, c.src.Empty() && netconn.IsTimeout(err), c.busy.Load() == shut:
		return nil
	case netconn.IsTimeout(err):
		return c.refuse(wire.TooSlow("the head did not arrive in time"))
	}
	return err
}

// refuse answers what no walk may see and ends the connection.
func (c *h1Conn) refuse(bad *wire.Malformed) error {
	c.msg.Close = true
	if resp := c.door.Malformed(c.ctx, bad); resp != nil {
		if err := c.answer(resp); err != nil {
			return err
		}
		c.linger()
	}
	return fmt.Errorf("%w: %w", errMalformed, bad)
}

// lingerFactor is how much more than DrainBytes is read before closing: time bounds it, and an agent that sends an upload
// which is refused must get to see why.
const lingerFactor = 64

// linger reads for a moment what the agent still sends: closing with unread
// bytes would reset the connection, and the agent might lose the answer.
func (c *h1Conn) linger() {
	if w, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)
	for n, left := 0, lingerFactor*c.s.cfg.DrainBytes; left > 0; left -= n {
		var err error
		if n, err = c.conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// exchange walks one request and writes its answer. again: the connection may
// carry another one.
func (c *h1Conn) exchange() (again bool, err error) {
	in := &wire.Request{Head: c.msg.Head}
	c.openBody(in)
	c.watch.start(c)
	resp := c.door.Exchange(c.ctx, in)
	if resp == nil {
		c.watch.stop(c)
		return false, errors.New("wire: the walk gave no answer")
	}
	if resp.Switched != nil {
		c.watch.stop(c)
		return false, c.join(resp)
	}
	if bad := c.bodyViolation(); bad != nil {
		c.watch.stop(c)
		closeAnswer(resp, 0, c.received(), bad)
		return false, c.refuse(bad)
	}
	err = c.answer(resp)
	c.watch.stop(c)
	if err != nil {
		return false, err
	}
	if c.body != nil && !c.body.Finish(int64(c.s.cfg.DrainBytes)) {
		c.linger()
		return false, nil
	}
	return !c.msg.Close, nil
}

func (c *h1Conn) openBody(in *wire.Request) {
	c.body, c.gate = nil, nil
	if !c.msg.HTTP10 {
		in.Interim = c
	}
	if c.msg.Length == 0 {
		return
	}
	b := &h1.Body{Source: &c.src, Remaining: c.msg.Length, Stall: c.s.cfg.BodyStall}
	if c.msg.Chunked {
		msg := c.msg
		b.Framing, b.Remaining, b.AllowTrailer = h1.Chunked, 0, msg.Announces
		b.MaxTrailerBytes, b.MaxTrailerFields = c.s.cfg.MaxHeadBytes, c.s.cfg.MaxFields
		in.Trailers = b.Trailers
	}
	if c.msg.ExpectContinue {
		c.gate = &gate{Conn: c.conn, stall: c.s.cfg.BodyStall}
		b.Continue = c.gate
	}
	c.body, in.Body = b, b
}

func (c *h1Conn) received() int64 {
	if c.body == nil {
		return 0
	}
	return c.body.Received()
}

// bodyViolation is set if the body's framing turned out wrong before anything
// was answered.
func (c *h1Conn) bodyViolation() *wire.Malformed {
	if c.body == nil || c.body.Failure() == nil {
		return nil
	}
	return wire.BodyFault(c.body.Failure())
}

// gate lets 100 Continue through until the answer begins: the body may be read,
// and so asked for, by another goroutine than the one that answers.
type gate struct {
	net.Conn
	stall time.Duration
	mu    sync.Mutex
	shut  bool
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return 0, h1.ErrBodyOver
	}
	_ = g.Conn.SetWriteDeadline(time.Now().Add(g.stall))
	return g.Conn.Write(p)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

// Interim writes an interim answer (RFC 9110 section 15.2).
func (c *h1Conn) Interim(status int, fields []wire.Field) {
	b, err := h1.AppendResponseHead(nil, &wire.Response{Status: status, Fields: fields}, false, false)
	if err == nil {
		_ = c.send(b) // a connection that fails is found out by the answer
	}
}
