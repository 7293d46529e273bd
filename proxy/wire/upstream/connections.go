package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// conn is one HTTP/1.1 connection to an application, used by one exchange at a
// time.
type conn struct {
	net.Conn
	src           h1.Reader
	writeDeadline time.Time // that is set now
	used          bool      // an answer has come over it
	cut           func()    // ends the connection at once; made once for all of its exchanges
	idleSince     time.Time
}

func newConn(c net.Conn) *conn {
	n := &conn{Conn: c, cut: func() { netconn.Cut(c) }}
	n.src.Conn = c
	return n
}

// trackedConn removes itself from its pool's set of open connections when it is
// closed.
type trackedConn struct {
	net.Conn
	cork cork.Cork
	pool *Pool
	once sync.Once
}

func (t *trackedConn) Write(p []byte) (int, error) { return t.cork.Write(t.Conn, p) }

// Cork returns the cork, which batches the writes of large bodies.
func (t *trackedConn) Cork() (*cork.Cork, net.Conn) { return &t.cork, t.Conn }

func (t *trackedConn) Close() error {
	t.once.Do(func() {
		t.pool.mu.Lock()
		delete(t.pool.open, t)
		t.pool.mu.Unlock()
	})
	return t.Conn.Close()
}

// CloseWrite ends the writing half of the connection.
func (t *trackedConn) CloseWrite() error { return netconn.CloseWrite(t.Conn) }

// connect dials the host, and makes the TLS handshake if c is not nil. The error
// is a *wire.Error.
func (h *host) connect(ctx context.Context, c *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.pool.ctx, cancel)()

	raw, err := h.dial(ctx)
	if err != nil {
		return nil, err
	}
	tracked, err := h.pool.track(raw)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return tracked, nil
	}

	secured := tls.Client(tracked, c)
	ctx, cancelHandshake := context.WithTimeout(ctx, h.pool.cfg.TLSTimeout)
	defer cancelHandshake()
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = tracked.Close()
		return nil, &wire.Error{Stage: stageOf(ctx, err, wire.StageTLS), Err: err}
	}
	return secured, nil
}

func (h *host) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.pool.cfg.DialTimeout)
	defer cancel()

	dial := h.pool.dial
	if h.key.proxy != nil {
		dial = h.key.proxy.Dial
	}
	raw, err := dial(ctx, "tcp", h.addr)
	if err == nil {
		return raw, nil
	}

	var staged *wire.Error
	if errors.As(err, &staged) {
		return nil, staged
	}
	return nil, &wire.Error{Stage: stageOf(ctx, err, wire.StageDial), Err: err}
}

// track adds a connection to the pool's set, so that Close cuts it. If the pool
// is closed it closes the connection.
func (p *Pool) track(raw net.Conn) (*trackedConn, error) {
	t := &trackedConn{Conn: raw, pool: p}

	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.open[t] = struct{}{}
	}
	p.mu.Unlock()

	if closed {
		_ = raw.Close()
		return nil, &wire.Error{Stage: wire.StageCanceled, Err: errPoolClosed}
	}
	return t, nil
}

// acquire returns an idle connection, or dials one. With fresh it always dials.
// It waits while the host has as many connections as it may have.
func (h *host) acquire(ctx context.Context, fresh bool) (*conn, error) {
	if err := h.acquireSlot(ctx); err != nil {
		return nil, err
	}

	for !fresh {
		c := h.popIdle()
		if c == nil {
			break
		}
		if c.isUsable(h.pool.cfg.IdleTimeout) {
			return c, nil
		}
		_ = c.Close()
	}

	raw, err := h.connect(ctx, h.tls1)
	if err != nil {
		<-h.slots
		return nil, err
	}
	return newConn(raw), nil
}

func (h *host) acquireSlot(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}

	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &wire.Error{Stage: stageOf(ctx, ctx.Err(), wire.StageCanceled), Err: context.Cause(ctx)}
	case <-h.pool.ctx.Done():
		return &wire.Error{Stage: wire.StageCanceled, Err: errPoolClosed}
	}
}

// popIdle returns the most recently used idle connection, or nil.
func (h *host) popIdle() *conn {
	h.mu.Lock()
	defer h.mu.Unlock()

	n := len(h.idle) - 1
	if n < 0 {
		return nil
	}
	c := h.idle[n]
	h.idle[n] = nil
	h.idle = h.idle[:n]
	return c
}

// isUsable reports whether an idle connection may carry another request. One that
// was idle for more than a moment is probed for a close by the application: a
// request that must not be sent twice should not be the one to find out.
func (c *conn) isUsable(idleTimeout time.Duration) bool {
	if !c.src.Empty() {
		return false // the application sent bytes that nobody asked for
	}
	idle := time.Since(c.idleSince)
	return idle < idleTimeout && (idle < time.Second || isQuiet(c.Conn))
}

// isQuiet reports whether the peer has neither closed the connection nor sent
// anything.
func isQuiet(c net.Conn) bool {
	sc, ok := socketOf(c).(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}

	quiet := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = err == syscall.EAGAIN
	})
	return err == nil && quiet
}

// socketOf returns the connection below TLS and below the pool's own layer.
func socketOf(c net.Conn) net.Conn {
	for {
		switch outer := c.(type) {
		case *trackedConn:
			c = outer.Conn
		case interface{ NetConn() net.Conn }:
			c = outer.NetConn()
		default:
			return c
		}
	}
}

// release puts a connection back for the next exchange, or cuts it.
func (h *host) release(c *conn, keep bool) {
	defer func() { <-h.slots }()
	if !keep {
		netconn.Cut(c.Conn)
		return
	}

	c.src.ReleaseBuffer()
	c.used, c.idleSince = true, time.Now()

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		go netconn.Cut(c.Conn)
		return
	}
	h.idle = append(h.idle, c)
	if h.sweep == nil {
		h.sweep = newSweeper(h, h.pool.cfg.IdleTimeout)
	}
}

// sweeper closes connections that have been idle for too long. It is a timer
// rather than a goroutine, and is stopped while no connection is idle.
type sweeper struct{ timer *time.Timer }

func newSweeper(h *host, idleTimeout time.Duration) *sweeper {
	s := &sweeper{}
	s.timer = time.AfterFunc(idleTimeout, func() {
		h.mu.Lock()
		n := 0
		for n < len(h.idle) && time.Since(h.idle[n].idleSince) >= idleTimeout {
			n++
		}
		expired := append([]*conn(nil), h.idle[:n]...)
		h.idle = append(h.idle[:0], h.idle[n:]...)
		if len(h.idle) == 0 || h.ended {
			h.sweep = nil
		} else {
			s.timer.Reset(idleTimeout - time.Since(h.idle[0].idleSince))
		}
		h.mu.Unlock()

		for _, c := range expired {
			_ = c.Close()
		}
	})
	return s
}

// end cuts the idle connections. Exchanges in flight go on.
func (h *host) end() {
	h.mu.Lock()
	h.ended = true
	idle := h.idle
	h.idle = nil
	if h.sweep != nil {
		h.sweep.timer.Stop()
	}
	h.mu.Unlock()

	for _, c := range idle {
		netconn.Cut(c.Conn)
	}
	h.h2.CloseIdleConnections()
}
