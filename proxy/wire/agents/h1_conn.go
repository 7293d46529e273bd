package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// h1Conn is an agent's HTTP/1.1 connection. One goroutine serves it; only the
// disconnect watch runs concurrently.
//
// The loop is not fasthttp's or net/http's because a parser that repairs, adds or
// drops fields cannot carry them unchanged: fasthttp's Response drops Date and joins
// fields, and its Server reads the first 8 KiB of a body, and sends 100 Continue,
// before anybody has decided about the head.
type h1Conn struct {
	server    *Server
	conn      net.Conn
	reader    h1.Reader
	scheme    string
	callbacks wire.Callbacks

	// ctx ends with the connection, because closing it is the only way in which an
	// agent can cancel a request.
	ctx    context.Context
	cancel context.CancelCauseFunc

	state atomic.Int32 // stateIdle, stateExchange or stateClosed
	watch disconnectWatch

	// The current exchange.
	head          h1.RequestHead
	body          *h1.Body      // nil without one
	continueGate  *continueGate // nil unless the agent waits for 100 Continue
	writeDeadline time.Time     // the write deadline of conn
}

// The states of an h1Conn.
const (
	stateIdle     int32 = iota // waits for a head
	stateExchange              // a head arrived
	stateClosed                // closed by Shutdown
)

func newH1Conn(ctx context.Context, cancel context.CancelCauseFunc, s *Server, conn net.Conn, scheme string, callbacks wire.Callbacks) *h1Conn {
	return &h1Conn{
		server:    s,
		conn:      conn,
		reader:    h1.Reader{Conn: conn},
		scheme:    scheme,
		callbacks: callbacks,
		ctx:       ctx,
		cancel:    cancel,
	}
}

// closeIfIdle closes the connection unless an exchange is in flight.
func (c *h1Conn) closeIfIdle() {
	if c.state.CompareAndSwap(stateIdle, stateClosed) {
		netconn.Cut(c.conn)
	}
}

// serve carries one exchange after the other until the connection ends.
func (c *h1Conn) serve() error {
	cfg := &c.server.cfg
	for {
		raw, err := c.reader.ReadHead(cfg.MaxHeadBytes, cfg.IdleTimeout, cfg.HeadTimeout)
		if err != nil {
			return c.endWithoutHead(err)
		}
		if !c.state.CompareAndSwap(stateIdle, stateExchange) {
			return nil // Shutdown closed the connection
		}
		if bad := h1.ParseRequestHead(string(raw), &c.head, 0, cfg.MaxFields); bad != nil {
			return c.refuse(bad)
		}
		c.head.Scheme = c.scheme

		reusable, err := c.exchange()
		if err != nil || !reusable {
			return err
		}
		c.state.Store(stateIdle)
		if c.server.isClosed() {
			return nil
		}
	}
}

// endWithoutHead ends a connection whose next head did not arrive or cannot be
// accepted.
func (c *h1Conn) endWithoutHead(err error) error {
	var bad *wire.Malformed
	switch {
	case errors.As(err, &bad):
		return c.refuse(bad)
	case err == io.EOF, c.reader.Empty() && netconn.IsTimeout(err), c.state.Load() == stateClosed:
		return nil
	case netconn.IsTimeout(err):
		return c.refuse(wire.TooSlow("the head did not arrive in time"))
	}
	return err
}

// refuse answers a message that the pipeline must not see, and ends the connection.
func (c *h1Conn) refuse(bad *wire.Malformed) error {
	c.head.Close = true
	if resp := c.callbacks.Malformed(c.ctx, bad); resp != nil {
		if err := c.writeResponse(resp); err != nil {
			return err
		}
		c.linger()
	}
	return fmt.Errorf("%w: %w", errMalformed, bad)
}

const (
	// lingerTime and lingerFactor times DrainBytes bound what linger reads. An agent
	// whose upload was refused must be able to read why, so the number of bytes is
	// large and the time is the effective bound.
	lingerTime   = 500 * time.Millisecond
	lingerFactor = 64
)

// linger reads for a moment what the agent still sends. Closing a connection with
// unread bytes resets it, and the agent could lose the response.
func (c *h1Conn) linger() {
	_ = netconn.CloseWrite(c.conn)
	_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)

	for left := lingerFactor * c.server.cfg.DrainBytes; left > 0; {
		n, err := c.conn.Read(buf[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// exchange has one request answered and writes the response. reusable reports
// whether the connection can carry another request.
func (c *h1Conn) exchange() (reusable bool, err error) {
	in := &wire.Request{Head: c.head.Head}
	c.openRequestBody(in)

	c.watch.start(c)
	resp := c.callbacks.Exchange(c.ctx, in)
	if resp == nil {
		c.watch.stop(c)
		return false, errors.New("wire: the request got no response")
	}
	if resp.Switched != nil {
		c.watch.stop(c)
		return false, c.joinStreams(resp)
	}
	if bad := c.bodyFault(); bad != nil { // the agent learns about it instead of getting resp
		c.watch.stop(c)
		finishResponse(resp, 0, c.bytesReceived(), bad)
		return false, c.refuse(bad)
	}

	err = c.writeResponse(resp)
	c.watch.stop(c)
	if err != nil {
		return false, err
	}
	if c.body != nil && !c.body.Finish(int64(c.server.cfg.DrainBytes)) {
		c.linger()
		return false, nil
	}
	return !c.head.Close, nil
}
