package wire

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"
)

// overH1 makes one exchange over HTTP/1.1.
func (h *host) overH1(ctx context.Context, out *Request) (*Response, error) {
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
	out    *Request
	stop   func() bool // ends the watch over ctx; false: the connection was cut
	upload *upload     // nil when the request went in one write
	sent   bool
	heard  bool // some byte of an answer arrived
	keep   bool // the answer lets the connection live
	once   sync.Once

	head answerHead // the last that came
	resp Response
	body body
}

// stale: a kept-alive connection that the SaaS had closed (RFC 9110 9.2.2).
func (x *exchange) stale(err error) bool {
	var e *Error
	if !x.u.used || x.heard || x.out.Body != nil || x.ctx.Err() != nil || !errors.As(err, &e) || e.Stage == "timeout" {
		return false
	}
	switch x.out.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

func (x *exchange) run() (*Response, error) {
	conn := x.u.Conn
	x.stop = context.AfterFunc(x.ctx, func() { cut(conn) })
	if err := x.send(); err != nil {
		return nil, x.fail("write", err)
	}
	m := &x.head
	for n := 0; ; n++ {
		first := x.h.pool.cfg.ResponseHead
		if x.upload != nil {
			x.upload.await(first)
			first = 0
		}
		raw, err := x.u.src.head(x.h.pool.cfg.MaxHeadBytes, first, x.h.pool.cfg.ResponseHead)
		x.heard = x.heard || x.u.src.w > 0
		if x.upload != nil {
			x.upload.answered()
		}
		if err != nil {
			return nil, x.fail("head", x.cause(err))
		}
		*m = answerHead{}
		if bad := parseAnswerHead(string(raw), m, x.h.pool.cfg.MaxFields); bad != nil {
			return nil, x.fail("head", errors.New(bad.Detail))
		}
		if m.status >= 200 || m.status == 101 {
			break
		}
		if n == maxInterim {
			return nil, x.fail("head", errors.New("the SaaS gives interim answers without an end"))
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
func (x *exchange) interim(m *answerHead) {
	switch {
	case m.status == 100:
		if x.upload != nil {
			x.upload.asked()
		}
	case x.out.Interim != nil:
		x.out.Interim.Interim(m.status, m.fields)
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
	buf := buffers.Get().(*buffer)
	b, err := appendRequest(buf[:0], x.h.key.authority, x.out)
	if err != nil {
		buffers.Put(buf)
		return err
	}
	if x.out.Body == nil {
		err = x.write(b)
		buffers.Put(buf)
		return err
	}
	if n := x.out.Length; n > 0 && n <= int64(cap(b)-len(b)) && !x.out.Expect {
		whole := b[:len(b)+int(n)]
		if _, err = io.ReadFull(x.out.Body, whole[len(b):]); err == nil {
			err = x.write(whole)
		} else {
			err = &agentError{err}
		}
		buffers.Put(buf)
		return err
	}
	if err = x.write(b); err != nil {
		buffers.Put(buf)
		return err
	}
	x.upload = &upload{x: x, ask: make(chan struct{})}
	go x.upload.run(buf)
	return nil
}

// agentError is a failure of the agent's body: the SaaS is not to blame.
type agentError struct{ error }

func (e *agentError) Unwrap() error { return e.error }

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
func (x *exchange) fail(stage string, err error) *Error {
	cutByUs := !x.end(false)
	var own *agentError
	switch {
	case x.h.pool.ctx.Err() != nil:
		stage, err = "canceled", errPoolClosed
	case cutByUs || x.ctx.Err() != nil:
		stage, err = stageOf(x.ctx, x.ctx.Err(), "canceled"), context.Cause(x.ctx)
	case errors.As(err, &own):
		stage = "body"
	case isTimeout(err):
		stage = "timeout"
	}
	return &Error{Stage: stage, Sent: x.sent, Err: err}
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

// appendRequest writes the head exactly as the walk built it, and the framing.
func appendRequest(b []byte, authority string, out *Request) ([]byte, error) {
	b = append(b, out.Method...)
	b = append(b, ' ')
	b = append(b, out.Path...)
	if out.HasQuery || out.Query != "" {
		b = append(b, '?')
		b = append(b, out.Query...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, authority...)
	b = append(b, '\r', '\n')
	b, err := appendFields(b, out.Fields)
	if err != nil {
		return nil, err
	}
	switch {
	case out.Upgrade != "":
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
		return append(b, '\r', '\n'), nil
	case out.Length > 0 || out.Length == 0 && (out.Method == "POST" || out.Method == "PUT" || out.Method == "PATCH"):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, out.Length, 10)
		b = append(b, '\r', '\n')
	case out.Length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		b = appendAnnounced(b, out.Announced)
	}
	if out.Expect && out.Body != nil {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if out.TakesTrailers {
		b = append(b, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

var errGarbled = errors.New("the answer's body is not framed as HTTP says")
