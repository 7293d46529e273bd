package agents

import (
	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
	"github.com/byline-proxy/byline/proxy/wire/internal/netconn"
)

// joinStreams writes the head of resp, whose status is 101, in one write, and then
// carries messages between the connection and resp.Switched.
func (c *h1Conn) joinStreams(resp *wire.Response) (err error) {
	var sent, received int64
	defer func() {
		_ = resp.Switched.Close()
		finishResponse(resp, sent, received, err)
	}()

	head, err := h1.AppendResponseHead(nil, resp, false, false)
	if err != nil {
		return err
	}
	if err := c.write(head); err != nil {
		return err
	}
	c.reader.ClearDeadline()
	sent, received, err = c.server.relayMessages(c.ctx, h1Stream{c}, streamOf(resp.Switched), resp.Messages)
	return causeOf(c.ctx, err)
}

// h1Stream is an agent's connection after it has switched protocols.
type h1Stream struct{ c *h1Conn }

func (s h1Stream) Read(p []byte) (int, error) { return s.c.reader.Read(p) }

func (s h1Stream) Write(p []byte) (int, error) {
	if err := s.c.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s h1Stream) CloseWrite() error { return netconn.CloseWrite(s.c.conn) }

func (s h1Stream) Close() error {
	netconn.Cut(s.c.conn)
	return nil
}
