package upstream

import (
	"errors"
	"io"
	"net/http"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// answer returns the response for a final head. Its body is read whole if it is
// short, and streamed otherwise.
func (x *exchange) answer(m *h1.ResponseHead) (*wire.Response, error) {
	resp := &x.resp
	*resp = wire.Response{Status: m.Status, Fields: m.Fields, Length: m.Length}
	x.keep = !m.Close
	if m.Status == http.StatusSwitchingProtocols {
		return x.switchProtocols(m, resp)
	}

	if x.out.Method == http.MethodHead || !h1.StatusAllowsBody(m.Status) {
		if m.Status == http.StatusNoContent {
			resp.Length = 0
		}
		x.end(x.keep)
		return resp, nil
	}
	if m.Length == 0 {
		x.end(x.keep)
		return resp, nil
	}

	cfg := &x.h.pool.cfg
	b := &x.body
	b.Source, b.Remaining = &x.conn.src, m.Length
	b.Stall = cfg.AnswerStall
	b.SkipExtensions = true
	switch {
	case m.Chunked:
		b.Framing, b.Remaining = h1.Chunked, 0
		b.MaxTrailerBytes, b.MaxTrailerFields = cfg.MaxHeadBytes, cfg.MaxFields
		resp.Trailers, resp.AnnouncedTrailers = b.Trailers, m.AnnouncedTrailers
	case m.Length < 0:
		b.Framing, x.keep = h1.UntilClose, false
	case m.Length <= int64(cfg.KeepBody):
		return x.readWhole(resp, b)
	}

	s := &streamedBody{x: x, b: b}
	if m.Chunked && len(x.conn.src.Buffered()) > 0 {
		done, err := x.readArrived(resp, s)
		if done || err != nil {
			return resp, err
		}
	}
	resp.Body = s
	return resp, nil
}

// readWhole reads a short body, so that its connection is free before the answer
// is passed on.
func (x *exchange) readWhole(resp *wire.Response, b *h1.Body) (*wire.Response, error) {
	body := newBufferedBody(b.Remaining)
	if _, err := io.ReadFull(b, body.left); err != nil {
		_ = body.Close()
		return nil, x.fail(wire.StageBody, h1.UnexpectedEOF(err))
	}

	x.end(x.keep)
	resp.Body = body
	return resp, nil
}

// readArrived reads what came of a chunked body together with its head. If that is
// all of the body, its length is known and the agent gets it in one piece; done
// reports this.
func (x *exchange) readArrived(resp *wire.Response, s *streamedBody) (done bool, err error) {
	early := make([]byte, len(x.conn.src.Buffered()))
	n, err := s.b.ReadAvailable(early)
	s.early = early[:n]
	if err == nil {
		return false, nil
	}
	if err != io.EOF {
		return false, x.fail(wire.StageBody, withFramingFault(err))
	}

	x.end(x.keep)
	resp.Body = &bufferedBody{left: early[:n]}
	if s.b.Trailers() == nil {
		resp.Length, resp.Trailers = int64(n), nil
	}
	return true, nil
}

var errBadFraming = errors.New("the answer's body is not framed as HTTP says")

// withFramingFault makes the fault of a frame an error of the application.
func withFramingFault(err error) error {
	var bad *wire.Malformed
	if errors.As(err, &bad) {
		return errors.Join(errBadFraming, errors.New(bad.Detail))
	}
	return err
}

// streamedBody is a body that is passed on as it comes.
type streamedBody struct {
	x     *exchange
	b     *h1.Body
	early []byte // what came with the head
	err   error

	probe  cork.RecordProbe
	probed bool // whether probe is made
}

func (s *streamedBody) Read(p []byte) (int, error) {
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
		s.err = s.x.fail(wire.StageBody, withFramingFault(s.x.causeOf(err)))
		err = s.err
	}
	return n, err
}

var _ wire.Arriving = (*streamedBody)(nil)

// HasArrived reports whether a whole TLS record has arrived. It is not called
// concurrently.
func (s *streamedBody) HasArrived() bool {
	if !s.probed {
		s.probe, s.probed = cork.NewRecordProbe(s.x.conn.Conn), true
	}
	return s.err == nil && s.probe.HasRecord()
}

// Close may be called at any time, also concurrently with a Read, which then ends.
// A body that was not read to its end costs the connection.
func (s *streamedBody) Close() error {
	s.x.end(false)
	return nil
}
