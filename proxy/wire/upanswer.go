package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// answer turns a head into a Response, with its body whole or streamed.
func (x *exchange) answer(m *answerHead) (*Response, error) {
	resp := &x.resp
	*resp = Response{Status: m.status, Fields: m.fields, Length: m.length}
	x.keep = !m.close
	if m.status == http.StatusSwitchingProtocols {
		return x.switched(m, resp)
	}
	if x.out.Method == http.MethodHead || !bodyAllowed(m.status) {
		if m.status == http.StatusNoContent {
			resp.Length = 0
		}
		return resp, x.close()
	}
	if m.length == 0 {
		return resp, x.close()
	}
	cfg := &x.h.pool.cfg
	b := &x.body
	b.src, b.left, b.stall = &x.u.src, m.length, cfg.AnswerStall
	switch {
	case m.chunked:
		b.framing, b.left = chunks, 0
		b.maxTrailerBytes, b.maxTrailerFields = cfg.MaxHeadBytes, cfg.MaxFields
		resp.Trailers, resp.Announced = b.Trailers, m.trailer
	case m.length < 0:
		b.framing, x.keep = untilClose, false
	case m.length <= int64(cfg.KeepBody):
		return x.whole(resp, b)
	}
	s := &stream{x: x, b: b}
	if m.chunked && len(x.u.src.buffered()) > 0 {
		if done, err := x.arrived(resp, s); done || err != nil {
			return resp, err
		}
	}
	resp.Body = s
	return resp, nil
}

// close ends an exchange without a body. Nothing is wrong with the answer even
// if ctx ended meanwhile.
func (x *exchange) close() error {
	x.end(x.keep)
	return nil
}

// whole reads a short body, so that its connection is free before it is
// passed on.
func (x *exchange) whole(resp *Response, b *body) (*Response, error) {
	k := newKept(b.left)
	if _, err := io.ReadFull(b, k.left); err != nil {
		_ = k.Close()
		return nil, x.fail(StageBody, endedEarly(err))
	}
	x.end(x.keep)
	resp.Body = k
	return resp, nil
}

// arrived takes a chunked body that came with its head: then its length is
// known, and the agent gets it in one piece too.
func (x *exchange) arrived(resp *Response, s *stream) (done bool, err error) {
	early := make([]byte, len(x.u.src.buffered()))
	n, err := s.b.readNow(early)
	s.early = early[:n]
	if err == nil {
		return false, nil
	}
	if err != io.EOF {
		return false, x.fail(StageBody, garbled(err))
	}
	x.end(x.keep)
	resp.Body = &kept{left: early[:n]}
	if !s.b.hasTrailer() {
		resp.Length, resp.Trailers = int64(n), nil
	}
	return true, nil
}

func garbled(err error) error {
	var bad *Malformed
	if errors.As(err, &bad) {
		return errors.Join(errGarbled, errors.New(bad.Detail))
	}
	return err
}

// stream is a body that is passed on as it comes.
type stream struct {
	x     *exchange
	b     *body
	early []byte // what had come with the head
	err   error
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.b.Read(p)
	switch {
	case err == io.EOF:
		s.err = err
		s.x.end(s.x.keep)
	case err != nil:
		s.err = s.x.fail(StageBody, garbled(s.x.cause(err)))
		err = s.err
	}
	return n, err
}

// Waiting is where more of the body arrives.
func (s *stream) Waiting() waiting { return waitingOn(s.x.u.Conn) }

// Close may be called at any time, also beside a Read, which it ends. A body
// that was not read to its end costs the connection.
func (s *stream) Close() error {
	s.x.end(false)
	return nil
}

// closing is a body whose Close also ends what belongs to it.
type closing struct {
	io.ReadCloser
	also context.CancelFunc
}

func (c *closing) Close() error {
	defer c.also()
	return c.ReadCloser.Close()
}
