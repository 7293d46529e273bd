package agents

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// side is one end of a joined stream. Read and Write are each called by one
// goroutine at a time; a Write does not wait for ever. CloseWrite passes on that
// nothing more will be written; Close makes Read and Write fail, also those under
// way. Both may be called more than once.
type side interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// splicing is a joined stream: two directions and what they share.
type splicing struct {
	agent, saas side
	linger      time.Duration
	up, down    frames
	last        atomic.Pointer[time.Timer] // runs once one direction has ended
	once        sync.Once
	err         error // the first one
}

// splice carries bytes both ways and counts messages into m, which may be nil.
// The end of one direction is passed on as such; the other goes on until it ends
// too or pauses for linger. What fails ends both at once.
func splice(agent, saas side, linger time.Duration, m *wire.Messages) (sent, received int64, err error) {
	if m == nil {
		m = &wire.Messages{}
	}
	s := &splicing{agent: agent, saas: saas, linger: linger}
	s.up.count, s.down.count = &m.FromAgent, &m.ToAgent
	var up sync.WaitGroup
	up.Go(func() { received = s.pass(saas, agent, &s.up) })
	sent = s.pass(agent, saas, &s.down)
	up.Wait()
	s.last.Load().Stop()
	return sent, received, s.err
}

// pass carries one direction to its end.
func (s *splicing) pass(to, from side, see *frames) int64 {
	n, err := s.copy(to, from, see)
	switch {
	case err != nil && (s.last.Load() != nil || s.up.over.Load() || s.down.over.Load()): // it had ended as it should
		s.fail(nil)
	case err != nil:
		s.fail(err)
	case to.CloseWrite() != nil:
		s.fail(nil)
	}
	t := time.AfterFunc(s.linger, func() { s.fail(nil) })
	if !s.last.CompareAndSwap(nil, t) {
		t.Stop()
	}
	return n
}

// fail ends both directions. Only the first reason counts: the others follow
// from it.
func (s *splicing) fail(err error) {
	s.once.Do(func() { s.err = err })
	_ = s.agent.Close()
	_ = s.saas.Close()
}

// copy is lean while little is said: an idle WebSocket holds a small buffer.
func (s *splicing) copy(to io.Writer, from io.Reader, see *frames) (n int64, err error) {
	var small [2 << 10]byte
	var large *buffers.Buffer
	defer func() {
		if large != nil {
			buffers.PutBuffer(large)
		}
	}()
	for buf := small[:]; ; {
		m, err := from.Read(buf)
		if t := s.last.Load(); t != nil {
			t.Reset(s.linger)
		}
		if m > 0 {
			see.pass(buf[:m]) // first: whoever reads the closing frame may hang up before Write returns
			w, werr := to.Write(buf[:m])
			n += int64(w)
			if werr != nil {
				return n, werr
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

// join writes the 101 in one piece and then carries bytes both ways.
func (c *h1Conn) join(resp *wire.Response) (err error) {
	var sent, received int64
	defer func() {
		_ = resp.Switched.Close()
		closeAnswer(resp, sent, received, err)
	}()
	head, err := h1.AppendResponseHead(nil, resp, false, false)
	if err != nil {
		return err
	}
	if err := c.send(head); err != nil {
		return err
	}
	c.src.ClearDeadline()
	sent, received, err = splice(h1side{c}, asSide(resp.Switched), c.s.cfg.BodyStall, resp.Messages)
	return endedBy(c.ctx, err)
}

// takeOver carries a WebSocket on a connection of another parser's (ServeRequest), which
// lies under a guard: that holds back what the agent sent behind its handshake until
// it sees the 101, so the parser has read none of it.
func (x *h2Stream) takeOver(resp *wire.Response) {
	conn, buf, err := http.NewResponseController(x.w).Hijack()
	if err == nil && buf.Reader.Buffered() > 0 {
		err = errors.New("wire: bytes before the switch")
		_ = conn.Close()
	}
	it := &served{conn: conn}
	if err == nil && !x.s.enter(it) {
		err = ErrServerClosed
		_ = conn.Close()
	}
	if err != nil {
		_ = resp.Switched.Close()
		closeAnswer(resp, 0, 0, err)
		return
	}
	defer x.s.leave(it)
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { netconn.Cut(conn) })()
	_ = conn.SetDeadline(time.Time{}) // the parser's
	_ = newH1(ctx, cancel, x.s, conn, x.scheme, x.door).join(resp)
}

// endedBy prefers the reason for which a connection was cut to how that looked
// from below. That the agent left is no reason of its own.
func endedBy(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil && why != context.Canceled {
		return why
	}
	return err
}

// h1side is an agent's connection after the switch.
type h1side struct{ c *h1Conn }

func (s h1side) Read(p []byte) (int, error) { return s.c.src.Read(p) }

func (s h1side) Write(p []byte) (int, error) {
	if err := s.c.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s h1side) CloseWrite() error { return netconn.CloseWrite(s.c.conn) }
func (s h1side) Close() error      { netconn.Cut(s.c.conn); return nil }

// asSide takes a switched stream that the walk may have wrapped.
func asSide(rwc io.ReadWriteCloser) side {
	if s, ok := rwc.(side); ok {
		return s
	}
	return plainSide{rwc}
}

// plainSide cannot end one direction alone.
type plainSide struct{ io.ReadWriteCloser }

func (p plainSide) CloseWrite() error { return p.Close() }

// join carries a WebSocket in an extended CONNECT (RFC 8441): the answer is 200
// and the stream's data are the connection. halved: END_STREAM was sent already, and
// the library must not send another.
func (x *h2Stream) join(resp *wire.Response) (sent, received int64, halved bool, err error) {
	defer resp.Switched.Close()
	resp.Status, resp.Length = http.StatusOK, -1
	resp.Fields = h1.RemoveListed(resp.Fields, "Sec-WebSocket-Accept") // section 5: there is no key to accept
	if err := x.head(resp); err != nil {
		return 0, 0, false, err
	}
	x.conn.openHalf(x.stream)
	s := &h2side{x: x, ctl: http.NewResponseController(x.w), in: newStreamBody(x.r.Body, http.NewResponseController(x.w), 0)}
	if err := s.ctl.Flush(); err != nil {
		x.conn.closeHalf(x.stream)
		return 0, 0, false, err
	}
	sent, received, err = splice(s, asSide(resp.Switched), x.s.cfg.BodyStall, resp.Messages)
	s.in.wait.end()
	return sent, received, x.conn.closeHalf(x.stream), endedBy(x.r.Context(), err)
}

// h2side is an agent's stream.
type h2side struct {
	x    *h2Stream
	ctl  *http.ResponseController
	in   *streamBody
	sent int64
	over atomic.Bool // the agent has ended its direction
}

func (s *h2side) Read(p []byte) (int, error) {
	n, err := s.in.r.Read(p)
	if err == io.EOF {
		s.over.Store(true)
	}
	return n, err
}

func (s *h2side) Write(p []byte) (int, error) {
	s.x.writing.start()
	defer s.x.writing.stop()
	n, err := s.x.w.Write(p)
	if err == nil {
		err = s.ctl.Flush()
	}
	s.sent += int64(n)
	return n, err
}

// CloseWrite leaves the end to the library if it is the stream's.
func (s *h2side) CloseWrite() error {
	if s.over.Load() {
		return nil
	}
	return s.x.conn.endHalf(s.x.stream, s.sent)
}

func (s *h2side) Close() error {
	s.in.wait.late()
	s.x.writing.late()
	return nil
}
