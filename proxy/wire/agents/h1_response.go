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

var errBodyTooShort = errors.New("wire: the response body is shorter than its length")

// h1Response is a response that is being written.
type h1Response struct {
	*wire.Response
	chunked bool
	sent    int64 // bytes of the body
}

// writeResponse writes resp and calls its Done. After an error the connection cannot
// be used any more: a body that breaks off must break off for the agent too.
func (c *h1Conn) writeResponse(resp *wire.Response) (err error) {
	r := h1Response{Response: resp}
	defer func() {
		if c.body != nil && err != nil {
			c.body.Finish(0)
		}
		finishResponse(resp, r.sent, c.bytesReceived(), err)
	}()

	if c.continueGate != nil {
		c.continueGate.close()
	}
	hasBody := resp.Body != nil && c.head.Method != http.MethodHead && h1.StatusAllowsBody(resp.Status)
	r.chunked = hasBody && resp.Length < 0 && !c.head.HTTP10
	untilClose := hasBody && resp.Length < 0 && !r.chunked
	if untilClose || c.requestBodyStays() || c.server.isClosed() {
		c.head.Close = true
	}

	buf := buffers.GetBuffer()
	defer buffers.PutBuffer(buf)
	head, err := h1.AppendResponseHead(buf[:0], resp, r.chunked, c.head.Close)
	if err != nil {
		return err
	}
	switch {
	case !hasBody:
		return c.write(head)
	case resp.Length >= 0:
		return c.writeCountedBody(&r, head, buf)
	}
	return c.writeStreamedBody(&r, head, buf)
}

// requestBodyStays reports whether part of the request's body will stay unread, so
// that no other request can follow it.
func (c *h1Conn) requestBodyStays() bool {
	return c.body != nil && c.body.CannotFinish(int64(c.server.cfg.DrainBytes))
}

// finishResponse closes the body of resp and calls its Done.
func finishResponse(resp *wire.Response, sent, received int64, err error) {
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	if resp.Done != nil {
		resp.Done(sent, received, err)
	}
}

// write writes b. It may take as long as BodyStall, and keeps a deadline that is at
// least three quarters of that ahead.
func (c *h1Conn) write(b []byte) error {
	stall := c.server.cfg.BodyStall
	until := time.Now().Add(stall)
	if until.Sub(c.writeDeadline) > stall/4 {
		c.writeDeadline = until
		_ = c.conn.SetWriteDeadline(until)
	}
	_, err := c.conn.Write(b)
	return err
}

// writeCountedBody writes head, which is at the beginning of buf, and a body of known
// length. If both fit into buf they are one write. Otherwise each read of the body is
// written at once, so that a source that pauses does not hold back what it has sent.
func (c *h1Conn) writeCountedBody(r *h1Response, head []byte, buf *buffers.Buffer) error {
	left := r.Length
	fits := left <= int64(cap(buf)-len(head))

	var batch cork.Batch
	arriving, ok := r.Body.(wire.Arriving)
	if ok && !fits {
		batch = cork.NewBatch(c.conn)
		defer batch.After(false) //nolint:errcheck // matters after an error only: what was held goes out before the connection is cut
	}

	start := len(head) // where in buf the body's data goes
	for ; left > 0 || start > 0; start = 0 {
		if start >= len(buf) { // the head alone fills buf
			if err := c.write(head); err != nil {
				return err
			}
			start = 0
		}

		space := buf[start:]
		if int64(len(space)) > left {
			space = space[:left]
		}
		n, err := 0, error(nil)
		if fits {
			n, err = io.ReadFull(r.Body, space)
		} else {
			n, err = r.Body.Read(space)
		}
		left -= int64(n)
		r.sent += int64(n)

		if start+n > 0 {
			more := err == nil && left > 0 && batch.Active() && arriving.HasArrived()
			batch.Before(more)
			if err := c.write(buf[:start+n]); err != nil {
				return err
			}
			if err := batch.After(more); err != nil {
				return err
			}
		} else if err := batch.After(false); err != nil {
			return err
		}

		if err != nil && left > 0 {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				err = errBodyTooShort
			}
			return err
		}
	}
	return nil
}

// writeStreamedBody writes head and a body of unknown length, in chunks or, for
// HTTP/1.0, until the connection closes. It writes the head at once and each read of
// the body at once, because event streams depend on that.
func (c *h1Conn) writeStreamedBody(r *h1Response, head []byte, buf *buffers.Buffer) error {
	if err := c.write(head); err != nil {
		return err
	}

	payload := h1.ChunkPayload(buf[:])
	for {
		n, err := r.Body.Read(payload)
		r.sent += int64(n)
		out := payload[:n]
		if r.chunked && n > 0 {
			out = h1.FrameChunk(buf[:], n)
		}

		if err == io.EOF && r.chunked {
			if out, err = h1.AppendLastChunk(out, r.Trailers); err != nil {
				return err
			}
			return c.write(out)
		}
		if len(out) > 0 {
			if err := c.write(out); err != nil {
				return err
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

// Interim writes an interim response (RFC 9110 section 15.2).
func (c *h1Conn) Interim(status int, fields []wire.Field) {
	b, err := h1.AppendResponseHead(nil, &wire.Response{Status: status, Fields: fields}, false, false)
	if err != nil {
		return
	}
	_ = c.write(b) // if the connection is broken, the final response finds out
}
