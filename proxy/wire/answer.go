package wire

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	errSplit = errors.New("wire: a field of the answer has a line break in it")
	errShort = errors.New("wire: the answer's body is not as long as was said")
)

// delivery is one answer on its way to the agent.
type delivery struct {
	resp    *Response
	bodily  bool // a body follows
	chunked bool
	close   bool
	sent    int64
}

// answer writes resp and calls its Done. An error means that the connection is
// of no more use: a body that breaks off breaks off for the agent too.
func (c *h1) answer(resp *Response) (err error) {
	d := delivery{resp: resp}
	defer func() {
		if c.body != nil && err != nil {
			c.body.finish(0)
		}
		closeAnswer(resp, d.sent, c.received(), err)
	}()
	if c.gate != nil {
		c.gate.close()
	}
	d.bodily = resp.Body != nil && c.msg.Method != http.MethodHead && bodyAllowed(resp.Status)
	d.chunked = d.bodily && resp.Length < 0 && !c.msg.http10
	if d.bodily && resp.Length < 0 && !d.chunked || c.wontDrain() || c.s.closing() {
		c.msg.close = true
	}
	d.close = c.msg.close
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	head, err := appendAnswerHead(buf[:0], &d)
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

// wontDrain foresees that finish will not reach the body's end.
func (c *h1) wontDrain() bool {
	b := c.body
	if b == nil || b.ended.Load() || !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.expect != nil || b.framing == counted && b.left > int64(c.s.cfg.DrainBytes)
}

func closeAnswer(resp *Response, sent, received int64, err error) {
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	if resp.Done != nil {
		resp.Done(sent, received, err)
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// appendAnswerHead writes the fields the walk gave, and the framing.
func appendAnswerHead(b []byte, d *delivery) ([]byte, error) {
	resp := d.resp
	if resp.Status < 100 || resp.Status > 999 {
		return nil, errors.New("wire: the answer has no status")
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(resp.Status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(resp.Status)...)
	b = append(b, '\r', '\n')
	b, err := appendFields(b, resp.Fields)
	if err != nil {
		return nil, err
	}
	switch {
	case d.chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		b = appendAnnounced(b, resp.Announced)
	case resp.Status == http.StatusSwitchingProtocols:
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case resp.Status < 200 || resp.Status == http.StatusNoContent: // RFC 9110 section 8.6
	case resp.Length >= 0 && (resp.Length > 0 || resp.Status != http.StatusNotModified):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, resp.Length, 10)
		b = append(b, '\r', '\n')
	}
	if d.close {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// appendAnnounced writes Trailer with the names that may come after a body.
func appendAnnounced(b []byte, names string) []byte {
	list := ""
	eachListed(names, func(name string) bool {
		if isToken(name) && !forbiddenInTrailer(name) {
			list = addMember(list, name)
		}
		return true
	})
	if list == "" {
		return b
	}
	b = append(b, "Trailer: "...)
	b = append(b, list...)
	return append(b, '\r', '\n')
}

// appendFields writes fields as they are, without those that the wire sets.
func appendFields(b []byte, fields []Field) ([]byte, error) {
	for i := range fields {
		f := &fields[i]
		if m := meaningOf(f.Name); m != endToEnd && m != isContentType && !strings.EqualFold(f.Name, "proxy-authenticate") {
			continue
		}
		if strings.IndexByte(f.Value, '\n') >= 0 || strings.IndexByte(f.Value, '\r') >= 0 || !isToken(f.Name) {
			return nil, errSplit
		}
		b = append(b, f.Name...)
		b = append(b, ':', ' ')
		b = append(b, f.Value...)
		b = append(b, '\r', '\n')
	}
	return b, nil
}

// send writes b under the stall's deadline.
func (c *h1) send(b []byte) error {
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
func (c *h1) sendCounted(d *delivery, head []byte, buf *buffer) error {
	left := d.resp.Length
	whole := left <= int64(cap(buf)-len(head))
	var g gather
	var source waiting
	if body, ok := d.resp.Body.(interface{ waiting() waiting }); ok && !whole {
		g, source = gatherOn(c.conn), body.waiting()
		defer g.after(false) //nolint:errcheck // after an error alone: what had come goes out before the connection is cut
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
			more := err == nil && left > 0 && g.cork != nil && source.record()
			g.before(more)
			if werr := c.send(buf[:at+n]); werr != nil {
				return werr
			}
			if werr := g.after(more); werr != nil {
				return werr
			}
		} else if werr := g.after(false); werr != nil {
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
func (c *h1) sendOpen(d *delivery, head []byte, buf *buffer) error {
	if err := c.send(head); err != nil {
		return err
	}
	const front, back = 6, 2 // "7ff8\r\n" and "\r\n"
	for {
		n, err := d.resp.Body.Read(buf[front : len(buf)-back-len(lastChunk)])
		d.sent += int64(n)
		out := buf[front : front+n]
		if d.chunked && n > 0 {
			out = asChunk(buf[:], front, n)
		}
		if err == io.EOF && d.chunked {
			if out, err = appendLast(out, d.resp.Trailers); err != nil {
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

const lastChunk = "0\r\n\r\n"

// asChunk frames the n bytes at front in place.
func asChunk(buf []byte, front, n int) []byte {
	const hex = "0123456789abcdef"
	at := front - 2
	buf[at], buf[at+1] = '\r', '\n'
	for size := n; size > 0; size >>= 4 {
		at--
		buf[at] = hex[size&15]
	}
	return append(buf[at:front+n], '\r', '\n')
}

// appendLast writes the last chunk and the trailer. What may not come after a
// body is left out, as RFC 9110 section 6.5.1 has it.
func appendLast(b []byte, trailers func() []Field) ([]byte, error) {
	b = append(b, "0\r\n"...)
	if trailers != nil {
		var allowed []Field
		for _, f := range trailers() {
			if !forbiddenInTrailer(f.Name) {
				allowed = append(allowed, f)
			}
		}
		var err error
		if b, err = appendFields(b, allowed); err != nil {
			return nil, err
		}
	}
	return append(b, '\r', '\n'), nil
}
