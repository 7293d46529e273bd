package agents

import "golang.org/x/net/http2"

// h2Half is a stream on which we end our direction while the agent's continues. An
// http.Handler cannot do that: the library ends both when it returns.
type h2Half struct {
	headSent bool  // the library has written the response's head, which it may buffer
	dataSent int64 // bytes of DATA that the library has written
	endAfter int64 // after how many bytes our direction ends; -1 while that is open
	ended    bool  // END_STREAM was written or is about to be
}

// openHalf makes it possible to end a stream with endHalf.
func (c *h2Conn) openHalf(stream uint32) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()

	if c.halves == nil {
		c.halves = map[uint32]*h2Half{}
	}
	c.halves[stream] = &h2Half{endAfter: -1}
}

// endHalf sends END_STREAM after the response's head and n bytes of data: at once, or
// as soon as the library has written them.
func (c *h2Conn) endHalf(stream uint32, n int64) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()

	h := c.halves[stream]
	if h == nil || h.ended {
		return nil
	}
	h.endAfter = n
	if !h.headSent || h.dataSent < n {
		return nil
	}

	h.ended = true
	c.insert = appendEndOfStream(c.insert, stream)
	if !c.written.isBetweenFrames() {
		return nil // Write inserts it
	}
	_, err := c.Conn.Write(c.insert)
	c.insert = c.insert[:0]
	return err
}

// closeHalf forgets the stream and reports whether END_STREAM was sent for it; if
// not, it will not be. If it was, the library can end the stream only by a reset,
// which an agent that has ended its own direction does not see.
func (c *h2Conn) closeHalf(stream uint32) (ended bool) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()

	h := c.halves[stream]
	delete(c.halves, stream)
	return h != nil && h.ended
}

// countHalf counts HEADERS or DATA of a stream in halves; writeMu is held.
func (c *h2Conn) countHalf(f frameHead) {
	h := c.halves[f.stream]
	if h == nil {
		return
	}

	h.headSent = true
	if f.kind == http2.FrameData {
		h.dataSent += int64(f.length)
	}
	if h.endAfter >= 0 && h.dataSent >= h.endAfter && !h.ended {
		h.ended = true
		c.insert = appendEndOfStream(c.insert, f.stream)
	}
}

// appendEndOfStream appends an empty DATA frame with END_STREAM.
func appendEndOfStream(b []byte, stream uint32) []byte {
	return appendFrameHead(b, frameHead{kind: http2.FrameData, flags: http2.FlagDataEndStream, stream: stream})
}
