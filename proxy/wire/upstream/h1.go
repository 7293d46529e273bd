package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// overH1 makes one exchange over HTTP/1.1.
func (h *host) overH1(ctx context.Context, out *wire.Request) (*wire.Response, error) {
	for fresh := false; ; fresh = true {
		u, err := h.take(ctx, fresh)
		if err != nil {
			return nil, err
		}
		x := &exchange{h: h, u: u, ctx: ctx, out: out}
		resp, err := x.run()
		if err == nil {
			return resp, nil
		}
		if fresh || !x.stale(err) {
			return nil, err
		}
	}
}

// exchange is one request on one connection. It ends exactly once: with the
// connection back in the pool, or closed.
type exchange struct {
	h      *host
	u      *upconn
	ctx    context.Context
	out    *wire.Request
	stop   func() bool // ends the watch over ctx; false: the connection was cut
	upload *upload     // nil when the request went in one write
	sent   bool
	heard  bool // some byte of an answer arrived
	keep   bool // the answer lets the connection live
	once   sync.Once

	head h1.ResponseHead // the last that came
	resp wire.Response
	body h1.Body
}

// stale: a kept-alive connection that the SaaS had closed (RFC 9110 9.2.2).
func (x *exchange) stale(err error) bool {
	var e *wire.Error
	if !x.u.used || x.heard || x.out.Body != nil || x.ctx.Err() != nil || !errors.As(err, &e) || e.Stage == wire.StageTimeout {
		return false
	}
	switch x.out.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

func (x *exchange) run() (*wire.Response, error) {
	conn := x.u.Conn
	x.stop = context.AfterFunc(x.ctx, func() { netconn.Cut(conn) })
	if err := x.send(); err != nil {
		return nil, x.fail(wire.StageWrite, err)
	}
	m := &x.head
	for n := 0; ; n++ {
		first := x.h.pool.cfg.ResponseHead
		if x.upload != nil {
			x.upload.await(first)
			first = 0
		}
		raw, err := x.u.src.ReadHead(x.h.pool.cfg.MaxHeadBytes, first, x.h.pool.cfg.ResponseHead)
		x.heard = x.heard || x.u.src.Received()
		if x.upload != nil {
			x.upload.answered()
		}
		if err != nil {
			return nil, x.fail(wire.StageHead, x.cause(err))
		}
		*m = h1.ResponseHead{}
		if bad := h1.ParseResponseHead(string(raw), m, x.h.pool.cfg.MaxFields); bad != nil {
			return nil, x.fail(wire.StageHead, errors.New(bad.Detail))
		}
		if m.Status >= 200 || m.Status == 101 {
			break
		}
		if n == maxInterim {
			return nil, x.fail(wire.StageHead, errors.New("the SaaS gives interim answers without an end"))
		}
		x.interim(m)
	}
	if x.upload != nil {
		x.upload.refused() // if it was never asked for
	}
	return x.answer(m)
}

// maxInterim is how many interim answers one request may get.
const maxInterim = 32

// interim passes an interim answer on (RFC 9110 section 15.2). 100 is for us: it
// lets the body go, and reading that says 100 to the agent.
func (x *exchange) interim(m *h1.ResponseHead) {
	switch {
	case m.Status == 100:
		if x.upload != nil {
			x.upload.asked()
		}
	case x.out.Interim != nil:
		x.out.Interim.Interim(m.Status, m.Fields)
	}
}

// cause prefers the upload's error: reading failed because it did.
func (x *exchange) cause(err error) error {
	if x.upload != nil {
		if uerr := x.upload.agentError(); uerr != nil {
			return uerr
		}
	}
	return err
}

// send writes the request: in one write if there is no body, or a short one.
func (x *exchange) send() error {
	buf := buffers.GetBuffer()
	b, err := h1.AppendRequestHead(buf[:0], x.h.key.authority, x.out)
	if err != nil {
		buffers.PutBuffer(buf)
		return err
	}
	if x.out.Body == nil {
		err = x.write(b)
		buffers.PutBuffer(buf)
		return err
	}
	if n := x.out.Length; n > 0 && n <= int64(cap(b)-len(b)) && !x.out.ExpectContinue {
		whole := b[:len(b)+int(n)]
		if _, err = io.ReadFull(x.out.Body, whole[len(b):]); err == nil {
			err = x.write(whole)
		} else {
			err = &agentError{err}
		}
		buffers.PutBuffer(buf)
		return err
	}
	if err = x.write(b); err != nil {
		buffers.PutBuffer(buf)
		return err
	}
	x.upload = &upload{x: x, ask: make(chan struct{})}
	go x.upload.run(buf)
	return nil
}

func (x *exchange) write(b []byte) error {
	stall := x.h.pool.cfg.BodyStall
	if until := time.Now().Add(stall); until.Sub(x.u.sends) > stall/4 {
		x.u.sends = until
		_ = x.u.SetWriteDeadline(until)
	}
	x.sent = true
	_, err := x.u.Write(b)
	return err
}

// fail ends the exchange and says why.
func (x *exchange) fail(stage wire.Stage, err error) *wire.Error {
	cutByUs := !x.end(false)
	var own *agentError
	switch {
	case x.h.pool.ctx.Err() != nil:
		stage, err = wire.StageCanceled, errPoolClosed
	case cutByUs || x.ctx.Err() != nil:
		stage, err = stageOf(x.ctx, x.ctx.Err(), wire.StageCanceled), context.Cause(x.ctx)
	case errors.As(err, &own):
		stage = wire.StageBody
	case netconn.IsTimeout(err):
		stage = wire.StageTimeout
	}
	return &wire.Error{Stage: stage, Sent: x.sent, Err: err}
}

// end gives the connection back. It reports whether ctx left it alone.
func (x *exchange) end(keep bool) (alive bool) {
	alive = true
	x.once.Do(func() {
		alive = x.stop()
		if x.upload != nil && !x.upload.whole.Load() {
			keep = false
		}
		x.h.give(x.u, keep && alive)
	})
	return alive
}

var errGarbled = errors.New("the answer's body is not framed as HTTP says")
