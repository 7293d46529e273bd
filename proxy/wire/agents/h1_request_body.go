package agents

import (
	"net"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// openRequestBody gives in the body that follows the current head, if one does, and
// the way for interim responses.
func (c *h1Conn) openRequestBody(in *wire.Request) {
	c.body, c.continueGate = nil, nil
	if !c.head.HTTP10 {
		in.Interim = c
	}
	if c.head.Length == 0 {
		return
	}

	cfg := &c.server.cfg
	b := &h1.Body{Source: &c.reader, Remaining: c.head.Length, Stall: cfg.BodyStall}
	if c.head.Chunked {
		head := c.head
		b.Framing, b.Remaining = h1.Chunked, 0
		b.AllowTrailer = head.Announces
		b.MaxTrailerBytes, b.MaxTrailerFields = cfg.MaxHeadBytes, cfg.MaxFields
		in.Trailers = b.Trailers
	}
	if c.head.ExpectContinue {
		c.continueGate = &continueGate{Conn: c.conn, stall: cfg.BodyStall}
		b.Continue = c.continueGate
	}
	c.body, in.Body = b, b
}

// bytesReceived returns the number of body bytes that were read from the agent.
func (c *h1Conn) bytesReceived() int64 {
	if c.body == nil {
		return 0
	}
	return c.body.Received()
}

// bodyFault returns what is wrong with the body if it was malformed or too slow
// before the response began, otherwise nil.
func (c *h1Conn) bodyFault() *wire.Malformed {
	if c.body == nil {
		return nil
	}
	err := c.body.Failure()
	if err == nil {
		return nil
	}
	return wire.BodyFault(err)
}

// continueGate is the connection on which a body asks for itself with 100 Continue.
// The goroutine that reads the body is not always the one that writes the response,
// so the gate is closed before the response begins.
type continueGate struct {
	net.Conn
	stall time.Duration

	mu     sync.Mutex
	closed bool
}

func (g *continueGate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if g.closed {
		return 0, h1.ErrBodyOver
	}
	_ = g.Conn.SetWriteDeadline(time.Now().Add(g.stall))
	return g.Conn.Write(p)
}

// close makes every later Write fail.
func (g *continueGate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
