package agents

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// Write passes on what the library sends, with frames of our own between its, and
// puts on record what it refuses.
func (c *h2Conn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	var mixed []byte // nil while nothing is put in between
	whole := p
	for rest := p; len(rest) > 0; {
		f, code, more, ok := c.said.next(rest)
		rest = more
		var record string
		if ok && c.sees(f, code) {
			record = c.note(wire.Ambiguous(fmt.Sprintf("a frame of HTTP/2 is malformed or out of place (%v, RFC 9113 section 7)", code)))
		}
		if at := len(whole) - len(rest) - frameHead - 8; ok && f.kind == http2.FrameGoAway && f.length == 8 && blames(code) && at >= 0 {
			mixed = appendReason(append(mixed, whole[:at]...), whole[at:at+frameHead+8], record)
			whole = rest
		}
		if len(c.between) > 0 && c.said.between() {
			mixed = append(append(mixed, whole[:len(whole)-len(rest)]...), c.between...)
			whole, c.between = rest, c.between[:0]
		}
	}
	if mixed != nil {
		whole = append(mixed, whole...)
	}
	n, err := c.Conn.Write(whole)
	if mixed != nil && err == nil {
		n = len(p)
	}
	return min(n, len(p)), err
}

// sees learns from one frame of the library's; wmu is held. refuses: it is an answer to what is
// malformed as a frame.
func (c *h2Conn) sees(f h2Frame, code http2.ErrCode) (refuses bool) {
	ends := f.kind == http2.FrameRSTStream || (f.kind == http2.FrameData || f.kind == http2.FrameHeaders) && f.flags.Has(http2.FlagDataEndStream)
	if (f.kind == http2.FrameData || f.kind == http2.FrameHeaders) && len(c.halves) > 0 {
		c.ahead(f)
	}
	if !ends && f.kind != http2.FrameGoAway {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ends {
		if c.broken[f.stream] && f.kind != http2.FrameRSTStream { // a stream error, once it is answered (RFC 9113 section 8.1.1)
			c.between = binary.BigEndian.AppendUint32(appendFrameHead(c.between, h2Frame{4, http2.FrameRSTStream, 0, f.stream}), uint32(http2.ErrCodeProtocol))
		}
		if delete(c.broken, f.stream); c.over.Load() && len(c.broken) == 0 {
			c.settle()
		}
	}
	switch f.kind {
	case http2.FrameRSTStream:
		delete(c.heads, f.stream)
	case http2.FrameGoAway:
		c.farewell = true
	default:
		return false
	}
	if !blames(code) || c.over.Load() {
		return false
	}
	if c.bad++; c.bad >= maxMalformed {
		c.over.Store(true)
	}
	return true
}

// half is a stream on which we end our direction while the library goes on: a
// handler of its can only end both.
type half struct {
	begun bool  // its head has gone out, which the library may keep for a while
	went  int64 // bytes of data
	end   int64 // after how many our direction ends; -1: not yet
	out   bool  // END_STREAM is on its way
}

// openHalf lets a stream be ended by endHalf.
func (c *h2Conn) openHalf(stream uint32) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.halves == nil {
		c.halves = map[uint32]*half{}
	}
	c.halves[stream] = &half{end: -1}
}

// endHalf sends END_STREAM behind the head and so many bytes of data, at once or as
// soon as they have gone out.
func (c *h2Conn) endHalf(stream uint32, after int64) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	h := c.halves[stream]
	if h == nil {
		return nil
	}
	if h.end = after; !h.begun || h.went < after {
		return nil
	}
	h.out = true
	c.between = appendEnd(c.between, stream)
	if !c.said.between() {
		return nil
	}
	_, err := c.Conn.Write(c.between)
	c.between = c.between[:0]
	return err
}

// closeHalf says whether END_STREAM has gone out; if not, it does no more. If so,
// the library may end the stream by a reset alone, which an agent that has ended its
// own direction too does not see.
func (c *h2Conn) closeHalf(stream uint32) (out bool) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	h := c.halves[stream]
	delete(c.halves, stream)
	return h != nil && h.out
}

// ahead counts a frame of a joined stream's head or data; wmu is held.
func (c *h2Conn) ahead(f h2Frame) {
	h := c.halves[f.stream]
	if h == nil {
		return
	}
	if h.begun = true; f.kind == http2.FrameData {
		h.went += int64(f.length)
	}
	if h.end >= 0 && h.went >= h.end && !h.out {
		h.out = true
		c.between = appendEnd(c.between, f.stream)
	}
}

func appendEnd(b []byte, stream uint32) []byte {
	return appendFrameHead(b, h2Frame{0, http2.FrameData, http2.FlagDataEndStream, stream})
}

// blames is true for codes by which the library says that the agent did wrong.
// STREAM_CLOSED is none of them: what crosses the end of an answer gets it too.
func blames(code http2.ErrCode) bool {
	switch code {
	case http2.ErrCodeProtocol, http2.ErrCodeFlowControl, http2.ErrCodeSettingsTimeout, http2.ErrCodeFrameSize, http2.ErrCodeRefusedStream,
		http2.ErrCodeCompression, http2.ErrCodeEnhanceYourCalm, http2.ErrCodeHTTP11Required:
		return true
	}
	return false
}

// note puts on record what cannot be answered.
func (c *h2Conn) note(bad *wire.Malformed) (record string) {
	resp := c.door.Malformed(c.ctx, bad)
	if resp == nil {
		return ""
	}
	closeAnswer(resp, 0, 0, fmt.Errorf("%w: %w", errMalformed, bad))
	return wire.Value(resp.Fields, "Byline-Record")
}

// appendReason writes a GOAWAY of the library's with a reason for whoever reads the
// agent's errors: its debug data (RFC 9113 section 6.8).
func appendReason(b, frame []byte, record string) []byte {
	why := "ambiguous_request: a frame of HTTP/2 is malformed or out of place"
	if record != "" {
		why += ", record " + record
	} else {
		why = "ambiguous_request: what this connection brought was malformed; its answers say how"
	}
	f := headOfFrame(frame)
	f.length += len(why)
	return append(append(appendFrameHead(b, f), frame[frameHead:]...), why...)
}
