package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
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
		c, err := h.acquire(ctx, fresh)
		if err != nil {
			return nil, err
		}

		x := &exchange{h: h, conn: c, ctx: ctx, out: out}
		resp, err := x.run()
		if err == nil {
			return resp, nil
		}
		if fresh || !x.foundStale(err) {
			return nil, err
		}
	}
}

// exchange is one request on one connection. It ends exactly once: the connection
// goes back to the pool or is closed.
type exchange struct {
	h      *host
	conn   *conn
	ctx    context.Context
	out    *wire.Request
	stop   func() bool // stops watching ctx; false means that the connection was cut
	upload *upload     // nil if the request went out in one write
	sent   bool        // some of the request may have left
	heard  bool        // some byte of an answer came
	keep   bool        // the answer allows another exchange on the connection
	once   sync.Once

	head h1.ResponseHead // the newest
	resp wire.Response
	body h1.Body
}

// foundStale reports whether the exchange failed because the application had
// closed an idle connection, and the request may be sent again (RFC 9110 section
// 9.2.2).
func (x *exchange) foundStale(err error) bool {
	if !x.conn.used || x.heard || x.out.Body != nil || x.ctx.Err() != nil {
		return false
	}
	var e *wire.Error
	if !errors.As(err, &e) || e.Stage == wire.StageTimeout {
		return false
	}

	switch x.out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// run sends the request and reads the answer's head.
func (x *exchange) run() (*wire.Response, error) {
	x.stop = context.AfterFunc(x.ctx, x.conn.cut)
	if err := x.send(); err != nil {
		return nil, x.fail(wire.StageWrite, err)
	}

	for n := 0; ; n++ {
		if err := x.readHead(); err != nil {
			return nil, x.fail(wire.StageHead, err)
		}
		if x.head.Status >= 200 || x.head.Status == http.StatusSwitchingProtocols {
			break
		}
		if n == maxInterim {
			return nil, x.fail(wire.StageHead, errTooManyInterim)
		}
		x.interim()
	}
	if x.upload != nil {
		x.upload.refuse() // no-op if the body was asked for
	}
	return x.answer(&x.head)
}

// readHead reads the next head into x.head. While an upload goes on, the upload
// and not the answer's first byte has a deadline.
func (x *exchange) readHead() error {
	cfg := &x.h.pool.cfg
	firstByte := cfg.ResponseHead
	if x.upload != nil {
		x.upload.awaitAnswer(firstByte)
		firstByte = 0
	}

	raw, err := x.conn.src.ReadHead(cfg.MaxHeadBytes, firstByte, cfg.ResponseHead)
	x.heard = x.heard || x.conn.src.Received()
	if x.upload != nil {
		x.upload.answered()
	}
	if err != nil {
		return x.causeOf(err)
	}

	x.head = h1.ResponseHead{}
	if bad := h1.ParseResponseHead(string(raw), &x.head, cfg.MaxFields); bad != nil {
		return errors.New(bad.Detail)
	}
	return nil
}

// maxInterim bounds the interim answers to one request.
const maxInterim = 32

var errTooManyInterim = errors.New("the application gives interim answers without an end")

// interim passes an interim answer on (RFC 9110 section 15.2). 100 is not passed
// on: it releases the body, and reading the body sends 100 to the agent.
func (x *exchange) interim() {
	switch {
	case x.head.Status == http.StatusContinue:
		if x.upload != nil {
			x.upload.release()
		}
	case x.out.Interim != nil:
		x.out.Interim.Interim(x.head.Status, x.head.Fields)
	}
}

// causeOf returns the upload's error instead of err if there is one: reading
// failed because the upload did.
func (x *exchange) causeOf(err error) error {
	if x.upload != nil {
		if uploadErr := x.upload.agentError(); uploadErr != nil {
			return uploadErr
		}
	}
	return err
}

// send writes the request. Without a body, or with a short one, it is one write.
// Otherwise the upload of the body goes on after send returns.
func (x *exchange) send() error {
	buf := buffers.GetBuffer()
	head, err := h1.AppendRequestHead(buf[:0], x.h.key.authority, x.out)
	if err != nil {
		buffers.PutBuffer(buf)
		return err
	}

	if x.out.Body == nil {
		defer buffers.PutBuffer(buf)
		return x.write(head)
	}

	length := x.out.Length
	if length > 0 && length <= int64(cap(head)-len(head)) && !x.out.ExpectContinue {
		defer buffers.PutBuffer(buf)
		whole := head[:len(head)+int(length)]
		if _, err := io.ReadFull(x.out.Body, whole[len(head):]); err != nil {
			return &agentError{err}
		}
		return x.write(whole)
	}

	if err := x.write(head); err != nil {
		buffers.PutBuffer(buf)
		return err
	}
	x.upload = &upload{x: x, decided: make(chan struct{})}
	go x.upload.run(buf) // which returns buf
	return nil
}

// write writes with a deadline. Setting a deadline costs a lock and a timer, so
// one that is almost as late as the new one stays.
func (x *exchange) write(b []byte) error {
	stall := x.h.pool.cfg.BodyStall
	deadline := time.Now().Add(stall)
	if deadline.Sub(x.conn.writeDeadline) > stall/4 {
		x.conn.writeDeadline = deadline
		_ = x.conn.SetWriteDeadline(deadline)
	}

	if !x.sent { // the upload writes in its own goroutine, after the head was sent
		x.sent = true
	}
	_, err := x.conn.Write(b)
	return err
}

// fail ends the exchange and returns why it failed.
func (x *exchange) fail(stage wire.Stage, err error) *wire.Error {
	cutByContext := !x.end(false)
	err = x.causeOf(err)

	var ofAgent *agentError
	switch {
	case x.h.pool.ctx.Err() != nil:
		stage, err = wire.StageCanceled, errPoolClosed
	case cutByContext || x.ctx.Err() != nil:
		stage, err = stageOf(x.ctx, x.ctx.Err(), wire.StageCanceled), context.Cause(x.ctx)
	case errors.As(err, &ofAgent):
		stage = wire.StageBody
	case netconn.IsTimeout(err):
		stage = wire.StageTimeout
	}
	stale := x.conn.used && !x.heard && (stage == wire.StageWrite || stage == wire.StageHead)
	return &wire.Error{Stage: stage, Sent: x.sent, Stale: stale, Err: err}
}

// end gives the connection back, for another exchange if keep is true. It reports
// whether the connection was left alone by ctx. Only the first call does anything;
// later ones return true.
func (x *exchange) end(keep bool) (alive bool) {
	alive = true
	x.once.Do(func() {
		alive = x.stop()
		if x.upload != nil && !x.upload.complete.Load() {
			keep = false
		}
		x.h.release(x.conn, keep && alive)
	})
	return alive
}
