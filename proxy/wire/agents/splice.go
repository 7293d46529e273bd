package agents

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
)

// stream is one end of a joined stream. Read and Write are each called by one
// goroutine at a time. Write does not block forever. CloseWrite tells the peer that
// nothing more will be written. Close makes Read and Write fail, also those in
// progress. Both may be called more than once.
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

// splice joins the streams of an agent and of an application.
type splice struct {
	agent, application stream
	fromAgent, toAgent messageCounter

	linger    time.Duration
	lingering atomic.Pointer[time.Timer] // set when the first direction has ended

	once sync.Once
	err  error // why the splice ended, nil if both directions ended as they should
}

// spliceStreams carries bytes both ways until both directions have ended. When one
// direction ends, its end is passed on, and the other direction continues until it
// ends or pauses for linger. A failure ends both. messages counts WebSocket messages
// and may be nil.
func spliceStreams(agent, application stream, linger time.Duration, messages *wire.Messages) (sent, received int64, err error) {
	if messages == nil {
		messages = &wire.Messages{}
	}
	s := &splice{agent: agent, application: application, linger: linger}
	s.fromAgent.count, s.toAgent.count = &messages.FromAgent, &messages.ToAgent

	var fromAgent sync.WaitGroup
	fromAgent.Go(func() { received = s.carry(application, agent, &s.fromAgent) })
	sent = s.carry(agent, application, &s.toAgent)
	fromAgent.Wait()

	s.lingering.Load().Stop()
	return sent, received, s.err
}

// carry copies one direction to its end and returns the number of bytes.
func (s *splice) carry(to, from stream, messages *messageCounter) int64 {
	n, err := s.copy(to, from, messages)
	switch {
	case err != nil && s.isEnding():
		s.end(nil)
	case err != nil:
		s.end(err)
	case to.CloseWrite() != nil:
		s.end(nil)
	}

	timer := time.AfterFunc(s.linger, func() { s.end(nil) })
	if !s.lingering.CompareAndSwap(nil, timer) {
		timer.Stop() // the other direction ended first
	}
	return n
}

// isEnding reports whether the other direction has ended or a close frame has
// passed. After that, a connection that breaks is no failure.
func (s *splice) isEnding() bool {
	return s.lingering.Load() != nil || s.fromAgent.closing.Load() || s.toAgent.closing.Load()
}

// end ends both directions. Only the first call sets err, because later errors
// follow from the first end.
func (s *splice) end(err error) {
	s.once.Do(func() { s.err = err })
	_ = s.agent.Close()
	_ = s.application.Close()
}

// copy copies one direction. It uses a small buffer on the stack, so that an idle
// WebSocket holds little memory, and a large one while reads fill the small one.
func (s *splice) copy(to io.Writer, from io.Reader, messages *messageCounter) (n int64, err error) {
	var small [2 << 10]byte
	var large *buffers.Buffer
	defer func() {
		if large != nil {
			buffers.PutBuffer(large)
		}
	}()

	buf := small[:]
	for {
		m, err := from.Read(buf)
		if timer := s.lingering.Load(); timer != nil {
			timer.Reset(s.linger)
		}
		if m > 0 {
			// Count first: whoever reads a close frame may hang up before Write returns.
			messages.pass(buf[:m])
			written, err := to.Write(buf[:m])
			n += int64(written)
			if err != nil {
				return n, err
			}
		}

		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		case large == nil && m == len(small):
			large = buffers.GetBuffer()
			buf = large[:]
		case large != nil && m <= len(small):
			buffers.PutBuffer(large)
			large, buf = nil, small[:]
		}
	}
}

// causeOf returns the reason for which ctx ended if it is known, otherwise err: the
// error of a connection that was cut does not tell why.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && cause != context.Canceled {
		return cause
	}
	return err
}
