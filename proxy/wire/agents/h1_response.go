package agents

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
	"github.com/byline-proxy/byline/proxy/wire/internal/cork"
	"github.com/byline-proxy/byline/proxy/wire/internal/h1"
)

var errShort = errors.New("wire: the answer's body is not as long as was said")

// delivery is one answer on its way to the agent.
type delivery struct {
	resp    *wire.Response
	bodily  bool // a body follows
	chunked bool
	close   bool
	sent    int64
}

// answer writes resp and calls its Done. An error means that the connection is
// of no more use: a body that breaks off breaks off for the agent too.
func (c *h1Conn) answer(resp *wire.Response) (err error) {
	d := delivery{resp: resp}
	defer func() {
		if c.body != nil && err != nil {
			c.body.Finish(0)
		}
		closeAnswer(resp, d.sent, c.received(), err)
	}()
	if c.gate != nil {
		c.gate.close()
	}
	d.bodily = resp.Body != nil && c.msg.Method != http.MethodHead && h1.StatusAllowsBody(resp.Status)
	d.chunked = d.bodily && resp.Length < 0 && !c.msg.HTTP10
	if d.bodily && resp.Length < 0 && !d.chunked || c.body != nil && c.body.CannotFinish(int64(c.s.cfg.DrainBytes)) || c.s.closing() {
		c.msg.Close = true
	}
	d.close = c.msg.Close
	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)
	head, err := h1.AppendResponseHead(buf[:0], resp, d.chunked, d.close)
	if err != nil {
		return err
	}
	switch {
	case !d.bodily:
		err = c.send(head)
	case resp.Length >= 0:
		err = c.sendCounted(&d, head, buf)
	default:
		err = c.sendOpen(&d, head, buf)
	}
	return err
}

func closeAnswer(resp *wire.Response, sent, received int64, err error) {
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	if resp.Done != nil {
		resp.Done(sent, received, err)
	}
}

// send writes b under the stall's deadline.
func (c *h1Conn) send(b []byte) error {
	until := time.Now().Add(c.s.cfg.BodyStall)
	if until.Sub(c.sends) > c.s.cfg.BodyStall/4 {
		c.sends = until
		_ = c.conn.SetWriteDeadline(until)
	}
	_, err := c.conn.Write(b)
	return err
}

// sendCounted writes a body of known length. Head and body are one write as
// far as they fit; what follows is passed on read by read, so a source that
// pauses holds nothing back.
func (c *h1Conn) sendCounted(d *delivery, head []byte, buf *buffers.Buffer) error {
	left := d.resp.Length
	whole := left <= int64(cap(buf)-len(head))
	var g cork.Batch
	var source cork.RecordProbe
	if body, ok := d.resp.Body.(cork.Probed); ok && !whole {
		g, source = cork.NewBatch(c.conn), body.RecordProbe()
		defer g.After(false) //nolint:errcheck // after an error alone: what had come goes out before the connection is cut
	}
	for at := len(head); left > 0 || at > 0; at = 0 {
		if at >= len(buf) { // a head that large goes first
			if err := c.send(head); err != nil {
				return err
			}
			at = 0
		}
		room := buf[at:]
		if int64(len(room)) > left {
			room = room[:left]
		}
		n, err := 0, error(nil)
		if whole {
			n, err = io.ReadFull(d.resp.Body, room)
		} else {
			n, err = d.resp.Body.Read(room)
		}
		left -= int64(n)
		d.sent += int64(n)
		if at+n > 0 {
			more := err == nil && left > 0 && g.Active() && source.HasRecord()
			g.Before(more)
			if werr := c.send(buf[:at+n]); werr != nil {
				return werr
			}
			if werr := g.After(more); werr != nil {
				return werr
			}
		} else if werr := g.After(false); werr != nil {
			return werr
		}
		if err != nil && left > 0 {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = errShort
			}
			return err
		}
	}
	return nil
}

// sendOpen writes a body whose length shows at its end: in chunks, or for
// HTTP/1.0 until the connection closes. The head goes at once and every read is
// passed on at once: event streams live from that.
func (c *h1Conn) sendOpen(d *delivery, head []byte, buf *buffers.Buffer) error {
	if err := c.send(head); err != nil {
		return err
	}
	payload := h1.ChunkPayload(buf[:])
	for {
		n, err := d.resp.Body.Read(payload)
		d.sent += int64(n)
		out := payload[:n]
		if d.chunked && n > 0 {
			out = h1.FrameChunk(buf[:], n)
		}
		if err == io.EOF && d.chunked {
			if out, err = h1.AppendLastChunk(out, d.resp.Trailers); err != nil {
				return err
			}
			return c.send(out)
		}
		if len(out) > 0 {
			if werr := c.send(out); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
