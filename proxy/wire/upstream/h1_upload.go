package upstream

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// upload writes a body while the answer may already be read.
type upload struct {
	x        *exchange
	complete atomic.Bool // every byte was written
	err      atomic.Pointer[agentError]
	decided  chan struct{} // closed once it is known whether the application wants the body

	mu        sync.Mutex
	awaiting  bool // the exchange waits for the answer's head
	over      bool // run has ended
	isDecided bool // decided is closed
	refused   bool // an answer came instead of 100 Continue
}

// release sends a body that waited for 100 Continue.
func (u *upload) release() { u.decide(false) }

// refuse keeps a body back because an answer came instead of 100 Continue.
func (u *upload) refuse() { u.decide(true) }

// decide does nothing after the first call.
func (u *upload) decide(refused bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.isDecided {
		u.isDecided, u.refused = true, refused
		close(u.decided)
	}
}

// waitForContinue waits for 100 Continue and reports whether the body may be sent.
// An application that does not know Expect sends nothing; the body goes out after
// ContinueWait then.
func (u *upload) waitForContinue() bool {
	timeout := time.NewTimer(u.x.h.pool.cfg.ContinueWait)
	defer timeout.Stop()
	select {
	case <-u.decided:
	case <-timeout.C:
		u.release()
	case <-u.x.ctx.Done():
		u.refuse()
	}

	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.refused
}

// awaitAnswer sets the deadline for the answer's first byte. While the upload goes
// on there is none: the upload has its own.
func (u *upload) awaitAnswer(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaiting = true
	if u.over {
		u.x.conn.src.ExtendDeadline(d)
	} else {
		u.x.conn.src.ClearDeadline()
	}
}

// answered keeps the end of the upload from changing the answer's deadlines.
func (u *upload) answered() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaiting = false
	u.x.conn.src.ClearDeadline()
}

// finish marks the end of the upload. From now on the answer's head has a
// deadline, if the exchange waits for it.
func (u *upload) finish(complete bool, wait time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	if u.awaiting {
		_ = u.x.conn.SetReadDeadline(time.Now().Add(wait))
	}
	u.complete.Store(complete)
}

// agentError returns the failure of the agent's body, or nil.
func (u *upload) agentError() error {
	e := u.err.Load()
	if e == nil {
		return nil
	}
	return e
}

// run writes the body. It returns buf to its pool.
func (u *upload) run(buf *buffers.Buffer) {
	defer buffers.PutBuffer(buf)
	if u.x.out.ExpectContinue && !u.waitForContinue() {
		return
	}

	var err error
	if u.x.out.Length >= 0 {
		err = u.writeCounted(buf)
	} else {
		err = u.writeChunked(buf)
	}

	wait := u.x.h.pool.cfg.ResponseHead
	var ofAgent *agentError
	switch {
	case errors.As(err, &ofAgent): // a body that breaks off breaks off for the application too
		u.err.Store(ofAgent)
		netconn.Cut(u.x.conn.Conn)
		return
	case err != nil: // the application may have answered before it closed
		wait = min(wait, 2*time.Second)
	}
	u.finish(err == nil, wait)
}

// writeCounted writes a body of known length. Records of TLS that have arrived
// already are forwarded in one batch.
func (u *upload) writeCounted(buf *buffers.Buffer) error {
	var batch cork.Batch
	arriving, ok := u.x.out.Body.(wire.Arriving)
	if ok && u.x.out.Length > int64(len(buf)) {
		batch = cork.NewBatch(u.x.conn.Conn)
		defer batch.After(false) //nolint:errcheck // only after an error is there anything left
	}

	for left := u.x.out.Length; left > 0; {
		n, err := u.x.out.Body.Read(buf[:min(int64(len(buf)), left)])
		left -= int64(n)
		if n > 0 {
			more := err == nil && left > 0 && batch.Active() && arriving.HasArrived()
			batch.Before(more)
			if werr := u.x.write(buf[:n]); werr != nil {
				return werr
			}
			if werr := batch.After(more); werr != nil {
				return werr
			}
		}
		if err != nil && left > 0 {
			return &agentError{h1.UnexpectedEOF(err)}
		}
	}
	return nil
}

// writeChunked writes a body of unknown length, with its trailers.
func (u *upload) writeChunked(buf *buffers.Buffer) error {
	payload := h1.ChunkPayload(buf[:])
	for {
		n, err := u.x.out.Body.Read(payload)
		out := payload[:n]
		if n > 0 {
			out = h1.FrameChunk(buf[:], n)
		}

		if err == io.EOF {
			out, err = h1.AppendLastChunk(out, u.x.out.Trailers)
			if err != nil {
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

// AgentFault returns what was wrong with the agent's own body if err, from a round
// trip, comes from there: it was framed wrongly or did not arrive in time. It
// returns nil if err has another cause.
func AgentFault(err error) *wire.Malformed {
	var ofAgent *agentError
	if errors.As(err, &ofAgent) {
		return wire.BodyFault(ofAgent)
	}

	var e *wire.Error
	var bad *wire.Malformed
	if errors.As(err, &e) && e.Stage == wire.StageCanceled && errors.As(e.Err, &bad) { // the cause of the context's end
		return bad
	}
	return nil
}

// agentError is a failure of the agent's body, for which the application is not to
// blame.
type agentError struct{ error }

func (e *agentError) Unwrap() error { return e.error }
