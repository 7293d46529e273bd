package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
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
	var m answerHead
	for {
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
		m = answerHead{}
		if bad := parseAnswerHead(string(raw), &m, x.h.pool.cfg.MaxFields); bad != nil {
			return nil, x.fail("head", errors.New(bad.Detail))
		}
		if m.status >= 200 || m.status == 101 {
			break
		}
	}
	return x.answer(&m)
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
	if n := x.out.Length; n > 0 && n <= int64(cap(b)-len(b)) {
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
	x.upload = &upload{x: x}
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
	case out.Length > 0 || out.Length == 0 && (out.Method == "POST" || out.Method == "PUT" || out.Method == "PATCH"):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, out.Length, 10)
		b = append(b, '\r', '\n')
	case out.Length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// upload writes a body while the answer may already be read.
type upload struct {
	x     *exchange
	whole atomic.Bool // every byte was written
	err   atomic.Pointer[agentError]

	mu      sync.Mutex
	awaited bool // the answer's head is being waited for
	over    bool
}

// await sets the deadline for the answer's first byte: none while the upload
// goes on, which has its own.
func (u *upload) await(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaited = true
	if u.over {
		u.x.u.src.arm(d)
	} else {
		u.x.u.src.disarm()
	}
}

// answered keeps the upload's end away from the answer's deadlines.
func (u *upload) answered() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaited = false
	u.x.u.src.disarm()
}

// ended is the upload's own end. whole says whether every byte was written.
func (u *upload) ended(whole bool, wait time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if u.awaited {
		_ = u.x.u.SetReadDeadline(time.Now().Add(wait))
	}
	u.whole.Store(whole)
}

func (u *upload) agentError() error {
	if e := u.err.Load(); e != nil {
		return e
	}
	return nil
}

func (u *upload) run(buf *buffer) {
	defer buffers.Put(buf)
	var err error
	if u.x.out.Length >= 0 {
		err = u.counted(buf)
	} else {
		err = u.open(buf)
	}
	wait := u.x.h.pool.cfg.ResponseHead
	var own *agentError
	switch {
	case errors.As(err, &own): // a body that breaks off breaks off for the SaaS too
		u.err.Store(own)
		cut(u.x.u.Conn)
		return
	case err != nil: // the SaaS may have answered before it closed
		wait = min(wait, 2*time.Second)
	}
	u.ended(err == nil, wait)
}

func (u *upload) counted(buf *buffer) error {
	for left := u.x.out.Length; left > 0; {
		n, err := u.x.out.Body.Read(buf[:min(int64(len(buf)), left)])
		left -= int64(n)
		if n > 0 {
			if werr := u.x.write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err != nil && left > 0 {
			return &agentError{endedEarly(err)}
		}
	}
	return nil
}

func (u *upload) open(buf *buffer) error {
	const front = 6
	for {
		n, err := u.x.out.Body.Read(buf[front : len(buf)-2-len(lastChunk)])
		out := buf[front : front+n]
		if n > 0 {
			out = asChunk(buf[:], front, n)
		}
		if err == io.EOF {
			if out, err = appendLast(out, u.x.out.Trailers); err != nil {
				return &agentError{err}
			}
			return u.x.write(out)
		}
		if n > 0 {
			if werr := u.x.write(out); werr != nil {
				return werr
			}
		}
		if err != nil {
			return &agentError{err}
		}
	}
}

var errGarbled = errors.New("the answer's body is not framed as HTTP says")

// kept is a body that was read whole.
type kept struct {
	bytes.Reader
	own []byte
}

func (k *kept) Close() error { return nil }
