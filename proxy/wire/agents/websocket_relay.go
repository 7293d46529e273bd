package agents

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/websocket"
)

// stream is one end of a WebSocket. Read and Write are each called by one goroutine
// at a time. Write does not block forever. CloseWrite tells the peer that nothing
// more will be written. Close makes Read and Write fail, also those in progress.
// Both may be called more than once.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// streamOf returns rwc as a stream. The pipeline may have wrapped it.
func streamOf(rwc io.ReadWriteCloser) stream {
	if s, ok := rwc.(stream); ok {
		return s
	}
	return wholeStream{rwc}
}

// wholeStream is a stream that cannot end one direction alone.
type wholeStream struct{ io.ReadWriteCloser }

func (s wholeStream) CloseWrite() error { return s.Close() }

// closeGrace is how long the peers of a WebSocket that Byline closed may take to
// read the close frame before their connections are closed.
const closeGrace = 2 * time.Second

// messageRelay carries the messages of a WebSocket. Each is read whole, given to the
// pipeline, and written again as one frame.
type messageRelay struct {
	agent, application peer
	messages           *wire.Messages

	linger    time.Duration              // BodyStall
	lingering atomic.Pointer[time.Timer] // set when the first direction has ended, or both peers or Byline have closed
	closed    atomic.Bool                // Byline has closed the WebSocket: nothing prolongs it any more

	once sync.Once
	err  error // why the relay ended, nil if both directions ended as they should
}

// peer is one end of the WebSocket.
type peer struct {
	stream
	out     *websocket.Writer
	closing atomic.Bool // a close frame came from here
}

// relayMessages carries messages both ways until both directions have ended, and
// returns the bytes that were written to the agent and to the application. When one
// direction ends, its end is passed on, and the other direction continues until it
// ends or pauses for BodyStall. A failure ends both. messages may be nil.
func (s *Server) relayMessages(ctx context.Context, agent, application stream, messages *wire.Messages) (sent, received int64, err error) {
	if messages == nil {
		messages = &wire.Messages{}
	}
	r := &messageRelay{messages: messages, linger: s.cfg.BodyStall}
	r.agent.stream, r.agent.out = agent, websocket.NewWriter(agent, false)
	r.application.stream, r.application.out = application, websocket.NewWriter(application, true)

	var fromAgent sync.WaitGroup
	fromAgent.Go(func() {
		in := r.readerOf(ctx, agent, true, s.cfg.MaxMessage)
		defer in.Close()
		r.carry(&r.application, &r.agent, in, &messages.FromAgent, func(m *wire.Message) error {
			if messages.Decide == nil {
				return nil
			}
			return messages.Decide(ctx, m)
		})
	})
	in := r.readerOf(ctx, application, false, s.cfg.MaxMessage)
	defer in.Close()
	r.carry(&r.agent, &r.application, in, &messages.ToAgent, func(m *wire.Message) error {
		if messages.Shield == nil {
			return nil
		}
		return messages.Shield(m)
	})
	fromAgent.Wait()

	r.lingering.Load().Stop()
	return r.agent.out.Sent(), r.application.out.Sent(), r.err
}

// carry carries one direction to its end.
func (r *messageRelay) carry(to, from *peer, in *websocket.Reader, count *atomic.Int64, check func(*wire.Message) error) {
	err := r.copy(to, from, in, count, check)

	var refused *wire.CloseError
	switch {
	case errors.As(err, &refused):
		r.close(from, refused, err)
		in.Close()
		_, _ = io.Copy(io.Discard, from.stream)
	case errors.Is(err, websocket.ErrClosed):
		_, _ = io.Copy(io.Discard, from.stream) // nothing follows a close frame (RFC 6455 section 5.5.1)
	case err != nil && r.isEnding():
		r.end(nil)
	case err != nil:
		r.end(r.errorOf(from, err))
	}

	if to.out.End(to.CloseWrite) != nil {
		r.end(nil)
	}
	r.endWithin(r.linger)
}

// copy carries messages until the direction ends. The error is nil if the stream
// ended between two messages.
func (r *messageRelay) copy(to, from *peer, in *websocket.Reader, count *atomic.Int64, check func(*wire.Message) error) error {
	for {
		m, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := check(&m); err != nil {
			return err
		}
		// Note and count first: whoever reads a close frame may hang up before Write returns.
		switch m.Kind {
		case wire.MessageClose:
			from.closing.Store(true)
		case wire.MessageText, wire.MessageBinary:
			count.Add(1)
		}

		err = to.out.Write(m)
		if m.Done != nil {
			m.Done(err)
		}
		if err != nil {
			return err
		}
		if m.Kind == wire.MessageClose {
			if to.closing.Load() {
				r.endWithin(r.linger) // a peer that does not hang up now is not waited for
			}
			return websocket.ErrClosed
		}
	}
}

// close ends the WebSocket with close frames, because of what came from a peer. The
// peers get closeGrace to read them.
func (r *messageRelay) close(from *peer, refused *wire.CloseError, err error) {
	r.once.Do(func() { r.err = r.errorOf(from, err) })

	toApplication := refused.Status
	if from == &r.agent {
		toApplication = wire.CloseGoingAway
	}
	// The agent first: the application's answer to its own close frame must not come before.
	_ = r.agent.out.Write(wire.Message{Kind: wire.MessageClose, Status: refused.Status, Payload: []byte(refused.Reason)})
	_ = r.application.out.Write(wire.Message{Kind: wire.MessageClose, Status: toApplication})
	_ = r.application.out.End(r.application.CloseWrite)
	_ = r.agent.out.End(r.agent.CloseWrite)

	r.closed.Store(true)
	r.endWithin(closeGrace)
	r.lingering.Load().Reset(closeGrace)
}

// errorOf returns an error of a direction as one of the application's side if it
// came from there. An error of a stream has its side already.
func (r *messageRelay) errorOf(from *peer, err error) error {
	var already *wire.Error
	if from == &r.agent || errors.As(err, &already) {
		return err
	}
	return &wire.Error{Stage: wire.StageBody, Sent: true, Err: err}
}

// endWithin ends both directions after a time, unless an earlier call has set one.
// Messages that are still carried start the time again.
func (r *messageRelay) endWithin(d time.Duration) {
	timer := time.AfterFunc(d, func() { r.end(nil) })
	if !r.lingering.CompareAndSwap(nil, timer) {
		timer.Stop()
	}
}

// activeReader reads one direction, and prolongs the time after which the relay ends.
// It belongs to the goroutine of its direction.
type activeReader struct {
	r       *messageRelay
	from    io.Reader
	hasRoom bool // a message has room that others may wait for, so it must not pause
}

// errPaused ends a relay in which a large message stopped arriving.
var errPaused = &wire.CloseError{Status: wire.ClosePolicy, Reason: "a message did not arrive in time"}

func (a *activeReader) Read(p []byte) (int, error) {
	if a.hasRoom {
		pause := time.AfterFunc(a.r.linger, func() { a.r.end(errPaused) })
		defer pause.Stop()
	}

	n, err := a.from.Read(p)
	if timer := a.r.lingering.Load(); timer != nil && !a.r.closed.Load() {
		timer.Reset(a.r.linger)
	}
	return n, err
}

// readerOf returns the Reader of a direction, which asks the pipeline for room for
// large messages.
func (r *messageRelay) readerOf(ctx context.Context, from stream, fromAgent bool, maxMessage int) *websocket.Reader {
	active := &activeReader{r: r, from: from}
	hold := func(n int) (func(), error) {
		if r.messages.Hold == nil {
			return func() {}, nil
		}
		release, err := r.messages.Hold(ctx, n, fromAgent)
		if err != nil {
			return nil, err
		}
		active.hasRoom = true
		return func() { active.hasRoom = false; release() }, nil
	}
	return websocket.NewReader(active, fromAgent, maxMessage, hold)
}

// isEnding reports whether the other direction has ended or a close frame has
// passed. After that, a connection that breaks is no failure.
func (r *messageRelay) isEnding() bool {
	return r.lingering.Load() != nil || r.agent.closing.Load() || r.application.closing.Load()
}

// end ends both directions. Only the first call sets err, because later errors
// follow from the first end.
func (r *messageRelay) end(err error) {
	r.once.Do(func() { r.err = err })
	_ = r.agent.Close()
	_ = r.application.Close()
}

// causeOf returns the reason for which ctx ended if it is known, otherwise err: the
// error of a connection that was cut does not tell why.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && cause != context.Canceled {
		return cause
	}
	return err
}
