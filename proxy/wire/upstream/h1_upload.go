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
	x     *exchange
	whole atomic.Bool // every byte was written
	err   atomic.Pointer[agentError]
	ask   chan struct{} // closed once it is known whether the SaaS wants the body

	mu      sync.Mutex
	awaited bool // the answer's head is being waited for
	over    bool
	known   bool // ask is closed
	unasked bool // an answer came instead of 100 Continue
}

// asked lets a body go that waited for 100 Continue.
func (u *upload) asked() { u.settle(false) }

// refused keeps a body back for good that was not asked for.
func (u *upload) refused() { u.settle(true) }

func (u *upload) settle(unasked bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.known {
		u.known, u.unasked = true, unasked
		close(u.ask)
	}
}

// wanted waits for 100 Continue, for so long as an application may take that
// knows it. ctx is the exchange's.
func (u *upload) wanted() bool {
	late := time.NewTimer(u.x.h.pool.cfg.ContinueWait)
	defer late.Stop()
	select {
	case <-u.ask:
	case <-late.C:
		u.asked()
	case <-u.x.ctx.Done():
		u.refused()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.unasked
}

// await sets the deadline for the answer's first byte: none while the upload
// goes on, which has its own.
func (u *upload) await(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaited = true
	if u.over {
		u.x.u.src.ExtendDeadline(d)
	} else {
		u.x.u.src.ClearDeadline()
	}
}

// answered keeps the upload's end away from the answer's deadlines.
func (u *upload) answered() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.awaited = false
	u.x.u.src.ClearDeadline()
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

func (u *upload) run(buf *buffers.Buffer) {
	defer buffers.PutBuffer(buf)
	if u.x.out.ExpectContinue && !u.wanted() {
		return
	}
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
		netconn.Cut(u.x.u.Conn)
		return
	case err != nil: // the SaaS may have answered before it closed
		wait = min(wait, 2*time.Second)
	}
	u.ended(err == nil, wait)
}

func (u *upload) counted(buf *buffers.Buffer) error {
	var g cork.Batch
	var source cork.RecordProbe
	if b, ok := u.x.out.Body.(*h1.Body); ok && u.x.out.Length > int64(len(buf)) {
		g, source = cork.NewBatch(u.x.u.Conn), cork.NewRecordProbe(b.Conn())
		defer g.After(false) //nolint:errcheck // after an error alone
	}
	for left := u.x.out.Length; left > 0; {
		n, err := u.x.out.Body.Read(buf[:min(int64(len(buf)), left)])
		left -= int64(n)
		if n > 0 {
			more := err == nil && left > 0 && g.Active() && source.HasRecord()
			g.Before(more)
			if werr := u.x.write(buf[:n]); werr != nil {
				return werr
			}
			if werr := g.After(more); werr != nil {
				return werr
			}
		}
		if err != nil && left > 0 {
			return &agentError{h1.UnexpectedEOF(err)}
		}
	}
	return nil
}

func (u *upload) open(buf *buffers.Buffer) error {
	payload := h1.ChunkPayload(buf[:])
	for {
		n, err := u.x.out.Body.Read(payload)
		out := payload[:n]
		if n > 0 {
			out = h1.FrameChunk(buf[:], n)
		}
		if err == io.EOF {
			if out, err = h1.AppendLastChunk(out, u.x.out.Trailers); err != nil {
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

// AgentFault is set if err, from a round trip, comes from the agent's own body:
// it was framed wrongly or did not arrive in time. Then the SaaS is not to
// blame.
func AgentFault(err error) *wire.Malformed {
	var own *agentError
	if errors.As(err, &own) {
		return wire.BodyFault(own)
	}
	var e *wire.Error
	var bad *wire.Malformed
	if errors.As(err, &e) && e.Stage == wire.StageCanceled && errors.As(e.Err, &bad) { // the cause of ctx's end
		return bad
	}
	return nil
}

// agentError is a failure of the agent's body: the SaaS is not to blame.
type agentError struct{ error }

func (e *agentError) Unwrap() error { return e.error }
