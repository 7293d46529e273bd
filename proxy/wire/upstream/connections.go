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

// upconn is one HTTP/1.1 connection to the SaaS, used by one exchange at a time.
type upconn struct {
	net.Conn
	src   h1.Reader
	sends time.Time // the write deadline now set
	used  bool      // an answer came over it before
	since time.Time // when it became idle
}

// tracked takes itself off its pool's list when it is closed.
type tracked struct {
	net.Conn
	cork cork.Cork
	pool *Pool
	once sync.Once
}

func (t *tracked) Write(p []byte) (int, error) { return t.cork.Write(t.Conn, p) }

// Corks is for large bodies.
func (t *tracked) Cork() (*cork.Cork, net.Conn) { return &t.cork, t.Conn }

func (t *tracked) Close() error {
	t.once.Do(func() {
		t.pool.mu.Lock()
		delete(t.pool.live, t)
		t.pool.mu.Unlock()
	})
	return t.Conn.Close()
}

// CloseWrite ends the writing half.
func (t *tracked) CloseWrite() error { return netconn.CloseWrite(t.Conn) }

// connect dials, and makes the TLS handshake if c is not nil. It keeps trying
// neither other names nor older versions.
func (h *host) connect(ctx context.Context, c *tls.Config) (net.Conn, error) {
	p := h.pool
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	dctx, stop := context.WithTimeout(ctx, p.cfg.DialTimeout)
	dial := p.dial
	if h.key.via != nil {
		dial = h.key.via.Dial
	}
	raw, err := dial(dctx, "tcp", h.addr)
	var e *wire.Error
	switch {
	case err == nil:
	case errors.As(err, &e): // which has its stage
		err = e
	default:
		err = &wire.Error{Stage: stageOf(dctx, err, wire.StageDial), Err: err}
	}
	stop()
	if err != nil {
		return nil, err
	}
	conn := &tracked{Conn: raw, pool: p}
	p.mu.Lock()
	shut := p.shut
	if !shut {
		p.live[conn] = struct{}{}
	}
	p.mu.Unlock()
	if shut {
		_ = raw.Close()
		return nil, &wire.Error{Stage: wire.StageCanceled, Err: errPoolClosed}
	}
	if c == nil {
		return conn, nil
	}
	secured := tls.Client(conn, c)
	hctx, stop := context.WithTimeout(ctx, p.cfg.TLSTimeout)
	defer stop()
	if err := secured.HandshakeContext(hctx); err != nil {
		_ = conn.Close()
		return nil, &wire.Error{Stage: stageOf(hctx, err, wire.StageTLS), Err: err}
	}
	return secured, nil
}

// take gives an idle connection or dials one. fresh asks for a new one.
func (h *host) take(ctx context.Context, fresh bool) (*upconn, error) {
	select {
	case h.slots <- struct{}{}:
	default:
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, &wire.Error{Stage: stageOf(ctx, ctx.Err(), wire.StageCanceled), Err: context.Cause(ctx)}
		case <-h.pool.ctx.Done():
			return nil, &wire.Error{Stage: wire.StageCanceled, Err: errPoolClosed}
		}
	}
	for !fresh {
		h.mu.Lock()
		n := len(h.idle) - 1
		if n < 0 {
			h.mu.Unlock()
			break
		}
		u := h.idle[n]
		h.idle[n] = nil
		h.idle = h.idle[:n]
		h.mu.Unlock()
		if u.fit(h.pool.cfg.IdleTimeout) {
			return u, nil
		}
		_ = u.Close()
	}
	conn, err := h.connect(ctx, h.tls1)
	if err != nil {
		<-h.slots
		return nil, err
	}
	return newUpconn(conn), nil
}

func newUpconn(conn net.Conn) *upconn {
	u := &upconn{Conn: conn}
	u.src.Conn = conn
	return u
}

// fit says whether an idle connection may carry another request. One that lay
// for more than a moment is asked whether the SaaS has closed it: a request that
// must not be sent twice should not find out.
func (u *upconn) fit(idle time.Duration) bool {
	if !u.src.Empty() {
		return false // bytes that nobody asked for
	}
	lay := time.Since(u.since)
	return lay < idle && (lay < time.Second || quiet(u.Conn))
}

// quiet is false if the peer closed the connection or sent something.
func quiet(conn net.Conn) bool {
	for {
		if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = inner.NetConn()
			continue
		}
		if t, ok := conn.(*tracked); ok {
			conn = t.Conn
			continue
		}
		break
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	still := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		still = err == syscall.EAGAIN
	})
	return err == nil && still
}

// give puts a connection back, or closes it.
func (h *host) give(u *upconn, keep bool) {
	defer func() { <-h.slots }()
	if !keep {
		netconn.Cut(u.Conn)
		return
	}
	u.src.ReleaseBuffer()
	u.used, u.since = true, time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		go netconn.Cut(u.Conn)
		return
	}
	h.idle = append(h.idle, u)
	if h.sweep == nil {
		h.sweep = newSweeper(h, h.pool.cfg.IdleTimeout)
	}
}

// sweeper closes idle connections that have lain too long. It is a timer, not a
// goroutine, and rests while nothing is idle.
type sweeper struct{ timer *time.Timer }

func newSweeper(h *host, idle time.Duration) *sweeper {
	s := &sweeper{}
	s.timer = time.AfterFunc(idle, func() {
		h.mu.Lock()
		old := 0
		for old < len(h.idle) && time.Since(h.idle[old].since) >= idle {
			old++
		}
		over := append([]*upconn(nil), h.idle[:old]...)
		h.idle = append(h.idle[:0], h.idle[old:]...)
		if len(h.idle) == 0 || h.ended {
			h.sweep = nil
		} else {
			s.timer.Reset(idle - time.Since(h.idle[0].since))
		}
		h.mu.Unlock()
		for _, u := range over {
			_ = u.Close()
		}
	})
	return s
}

func (h *host) end() {
	h.mu.Lock()
	h.ended = true
	over := h.idle
	h.idle = nil
	if h.sweep != nil {
		h.sweep.timer.Stop()
	}
	h.mu.Unlock()
	for _, u := range over {
		netconn.Cut(u.Conn)
	}
	h.h2.CloseIdleConnections()
}
