package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// answer turns a head into a Response, with its body whole or streamed.
func (x *exchange) answer(m *h1.ResponseHead) (*wire.Response, error) {
	resp := &x.resp
	*resp = wire.Response{Status: m.Status, Fields: m.Fields, Length: m.Length}
	x.keep = !m.Close
	if m.Status == http.StatusSwitchingProtocols {
		return x.switched(m, resp)
	}
	if x.out.Method == http.MethodHead || !h1.StatusAllowsBody(m.Status) {
		if m.Status == http.StatusNoContent {
			resp.Length = 0
		}
		return resp, x.close()
	}
	if m.Length == 0 {
		return resp, x.close()
	}
	cfg := &x.h.pool.cfg
	b := &x.body
	b.Source, b.Remaining, b.Stall = &x.u.src, m.Length, cfg.AnswerStall
	switch {
	case m.Chunked:
		b.Framing, b.Remaining = h1.Chunked, 0
		b.MaxTrailerBytes, b.MaxTrailerFields = cfg.MaxHeadBytes, cfg.MaxFields
		resp.Trailers, resp.AnnouncedTrailers = b.Trailers, m.AnnouncedTrailers
	case m.Length < 0:
		b.Framing, x.keep = h1.UntilClose, false
	case m.Length <= int64(cfg.KeepBody):
		return x.whole(resp, b)
	}
	s := &stream{x: x, b: b}
	if m.Chunked && len(x.u.src.Buffered()) > 0 {
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
func (x *exchange) whole(resp *wire.Response, b *h1.Body) (*wire.Response, error) {
	k := newKept(b.Remaining)
	if _, err := io.ReadFull(b, k.left); err != nil {
		_ = k.Close()
		return nil, x.fail(wire.StageBody, h1.UnexpectedEOF(err))
	}
	x.end(x.keep)
	resp.Body = k
	return resp, nil
}

// arrived takes a chunked body that came with its head: then its length is
// known, and the agent gets it in one piece too.
func (x *exchange) arrived(resp *wire.Response, s *stream) (done bool, err error) {
	early := make([]byte, len(x.u.src.Buffered()))
	n, err := s.b.ReadAvailable(early)
	s.early = early[:n]
	if err == nil {
		return false, nil
	}
	if err != io.EOF {
		return false, x.fail(wire.StageBody, garbled(err))
	}
	x.end(x.keep)
	resp.Body = &kept{left: early[:n]}
	if s.b.Trailers() == nil {
		resp.Length, resp.Trailers = int64(n), nil
	}
	return true, nil
}

func garbled(err error) error {
	var bad *wire.Malformed
	if errors.As(err, &bad) {
		return errors.Join(errGarbled, errors.New(bad.Detail))
	}
	return err
}

// stream is a body that is passed on as it comes.
type stream struct {
	x     *exchange
	b     *h1.Body
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
		s.err = s.x.fail(wire.StageBody, garbled(s.x.cause(err)))
		err = s.err
	}
	return n, err
}

var _ cork.Probed = (*stream)(nil)

// RecordProbe returns a probe of the connection on which the body arrives.
func (s *stream) RecordProbe() cork.RecordProbe { return cork.NewRecordProbe(s.x.u.Conn) }

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
