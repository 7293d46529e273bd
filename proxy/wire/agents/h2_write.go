package agents

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// Write writes what the library sends. It inserts frames of ours between the
// library's, records when the library refuses a frame, and adds a reason to such a
// GOAWAY.
func (c *h2Conn) Write(p []byte) (int, error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if !c.hasWritten {
		c.hasWritten = true
		p = c.announceFirstWindow(p)
	}

	var mixed []byte // what precedes pending; nil while p is unchanged
	pending := p     // the part of p that is not in mixed
	for rest := p; len(rest) > 0; {
		var f frameHead
		var code http2.ErrCode
		var ok bool
		f, code, rest, ok = c.written.next(rest)

		record := ""
		if ok && c.observe(f, code) {
			detail := fmt.Sprintf("a frame of HTTP/2 is malformed or out of place (%v, RFC 9113 section 7)", code)
			record = c.record(wire.Ambiguous(detail))
		}

		// A GOAWAY without debug data that is complete in p.
		start := len(pending) - len(rest) - frameHeadSize - goAwayCodeEnd
		if ok && f.kind == http2.FrameGoAway && f.length == goAwayCodeEnd && blamesAgent(code) && start >= 0 {
			frame := pending[start : start+frameHeadSize+goAwayCodeEnd]
			mixed = appendGoAwayWithReason(append(mixed, pending[:start]...), frame, record)
			pending = rest
		}
		if len(c.insert) > 0 && c.written.isBetweenFrames() {
			mixed = append(append(mixed, pending[:len(pending)-len(rest)]...), c.insert...)
			pending, c.insert = rest, c.insert[:0]
		}
	}

	if mixed == nil {
		n, err := c.Conn.Write(p)
		return min(n, len(p)), err
	}
	n, err := c.Conn.Write(append(mixed, pending...))
	if err == nil {
		n = len(p)
	}
	return min(n, len(p)), err
}

// observe notes what the library's frame f means for our own state. refuses reports
// that the library refuses a malformed frame with it. writeMu is held.
func (c *h2Conn) observe(f frameHead, code http2.ErrCode) (refuses bool) {
	if (f.kind == http2.FrameData || f.kind == http2.FrameHeaders) && len(c.halves) > 0 {
		c.countHalf(f)
	}
	ends := f.kind == http2.FrameRSTStream || f.endsStream()
	if !ends && f.kind != http2.FrameGoAway {
		return false
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if ends {
		c.noteResponseComplete(f)
	}
	switch f.kind {
	case http2.FrameRSTStream:
		delete(c.heads, f.stream)
		delete(c.windows.left, f.stream)
	case http2.FrameGoAway:
		c.goAway = true
	default:
		return false
	}

	if !blamesAgent(code) || c.ending.Load() {
		return false
	}
	if c.malformed++; c.malformed >= maxMalformed {
		c.ending.Store(true)
	}
	return true
}

// noteResponseComplete is called when f ends a stream. The stream of a malformed
// request is reset after its response (RFC 9113 section 8.1.1). mu and writeMu are
// held.
func (c *h2Conn) noteResponseComplete(f frameHead) {
	if c.refused[f.stream] && f.kind != http2.FrameRSTStream {
		c.insert = appendFrameHead(c.insert, frameHead{length: resetCodeEnd, kind: http2.FrameRSTStream, stream: f.stream})
		c.insert = binary.BigEndian.AppendUint32(c.insert, uint32(http2.ErrCodeProtocol))
	}
	delete(c.refused, f.stream)
	if c.ending.Load() && len(c.refused) == 0 {
		c.closeResponded()
	}
}

// blamesAgent reports whether the library says with code that the agent violated the
// protocol. STREAM_CLOSED does not say so: an agent gets it, too, for frames that
// crossed the end of a response.
func blamesAgent(code http2.ErrCode) bool {
	switch code {
	case http2.ErrCodeProtocol, http2.ErrCodeFlowControl, http2.ErrCodeSettingsTimeout, http2.ErrCodeFrameSize,
		http2.ErrCodeRefusedStream, http2.ErrCodeCompression, http2.ErrCodeEnhanceYourCalm, http2.ErrCodeHTTP11Required:
		return true
	}
	return false
}

// record records a fault that cannot be answered. It returns the id of the record, ""
// if there is none.
func (c *h2Conn) record(bad *wire.Malformed) string {
	resp := c.callbacks.Malformed(c.ctx, bad)
	if resp == nil {
		return ""
	}
	finishResponse(resp, 0, 0, fmt.Errorf("%w: %w", errMalformed, bad))
	return wire.Value(resp.Fields, "Byline-Record")
}

// appendGoAwayWithReason appends the library's GOAWAY with debug data (RFC 9113
// section 6.8) for people who read the errors of the agent.
func appendGoAwayWithReason(b, frame []byte, record string) []byte {
	reason := "ambiguous_request: what this connection brought was malformed; its responses say how"
	if record != "" {
		reason = "ambiguous_request: a frame of HTTP/2 is malformed or out of place, record " + record
	}

	f := parseFrameHead(frame)
	f.length += len(reason)
	b = appendFrameHead(b, f)
	b = append(b, frame[frameHeadSize:]...)
	return append(b, reason...)
}
