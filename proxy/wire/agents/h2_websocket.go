package agents

import (
	"io"
	"net/http"
	"sync/atomic"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

// joinStreams answers an extended CONNECT (RFC 8441) and carries messages between the
// stream and resp.Switched. endSent reports that END_STREAM was sent, so the library
// must not send it again.
func (x *handlerExchange) joinStreams(resp *wire.Response) (sent, received int64, endSent bool, err error) {
	defer resp.Switched.Close()
	resp.Status, resp.Length = http.StatusOK, -1
	resp.Fields = h1.RemoveListed(resp.Fields, "Sec-WebSocket-Accept") // RFC 8441 section 5: there is no key to accept
	if err := x.writeHead(resp); err != nil {
		return 0, 0, false, err
	}

	x.conn.widenWindow(x.stream)
	x.conn.openHalf(x.stream)
	ctl := http.NewResponseController(x.w)
	s := &h2Stream{x: x, ctl: ctl, in: newBoundedBody(x.r.Body, ctl, 0)}
	if err := ctl.Flush(); err != nil {
		x.conn.closeHalf(x.stream)
		return 0, 0, false, err
	}

	sent, received, err = x.server.relayMessages(x.r.Context(), s, streamOf(resp.Switched), resp.Messages)
	s.in.timer.disable()
	return sent, received, x.conn.closeHalf(x.stream), causeOf(x.r.Context(), err)
}

// h2Stream is an agent's stream after an extended CONNECT.
type h2Stream struct {
	x    *handlerExchange
	ctl  *http.ResponseController
	in   *boundedBody // only its timer is used, to cut the stream: reads may take any time
	sent int64

	agentEnded atomic.Bool // the agent has ended its direction
}

func (s *h2Stream) Read(p []byte) (int, error) {
	n, err := s.in.r.Read(p)
	if err == io.EOF {
		s.agentEnded.Store(true)
	}
	return n, err
}

func (s *h2Stream) Write(p []byte) (int, error) {
	s.x.writeTimer.start()
	defer s.x.writeTimer.stop()

	n, err := s.x.w.Write(p)
	if err == nil {
		err = s.ctl.Flush()
	}
	s.sent += int64(n)
	return n, err
}

// CloseWrite ends our direction. If the agent's direction has ended too, that is the
// end of the stream, which the library sends.
func (s *h2Stream) CloseWrite() error {
	if s.agentEnded.Load() {
		return nil
	}
	return s.x.conn.endHalf(s.x.stream, s.sent)
}

func (s *h2Stream) Close() error {
	s.in.timer.expire()
	s.x.writeTimer.expire()
	return nil
}
