package agents

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// frameHeadSize is the length of a frame's head (RFC 9113 section 4.1).
const frameHeadSize = 9

// frameHead is the head of a frame.
type frameHead struct {
	length int // of the payload
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

// parseFrameHead reads the head at the beginning of b, which has at least
// frameHeadSize bytes.
func parseFrameHead(b []byte) frameHead {
	return frameHead{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   http2.FrameType(b[3]),
		flags:  http2.Flags(b[4]),
		stream: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1),
	}
}

func appendFrameHead(b []byte, f frameHead) []byte {
	b = append(b, byte(f.length>>16), byte(f.length>>8), byte(f.length), byte(f.kind), byte(f.flags))
	return binary.BigEndian.AppendUint32(b, f.stream)
}

// endsHeaders reports whether f is the last frame of a header block. HEADERS and
// CONTINUATION have the flag in the same place.
func (f frameHead) endsHeaders() bool { return f.flags.Has(http2.FlagHeadersEndHeaders) }

// endsStream reports whether f is DATA or HEADERS with END_STREAM, which both have in
// the same place.
func (f frameHead) endsStream() bool {
	return (f.kind == http2.FrameData || f.kind == http2.FrameHeaders) && f.flags.Has(http2.FlagDataEndStream)
}

// The part of a payload that ends with the error code.
const (
	resetCodeEnd  = 4 // of RST_STREAM: the code
	goAwayCodeEnd = 8 // of GOAWAY: the last stream and the code
)

// frameTracker follows the frames in a stream of bytes, however the bytes are cut.
// The zero value is before the first frame.
type frameTracker struct {
	head    [frameHeadSize + goAwayCodeEnd]byte
	have    int  // bytes of head
	left    int  // payload bytes that follow what is in head
	inBlock bool // the next frame continues a header block
}

// isBetweenFrames reports whether a frame of another stream may be inserted here: one
// frame has ended, and the next does not continue a header block.
func (t *frameTracker) isBetweenFrames() bool { return t.have == 0 && t.left == 0 && !t.inBlock }

// next takes bytes from p up to the end of a frame's head with its error code, or to
// the end of a payload. In the first case ok is true, f is the head, and code is the
// error code of RST_STREAM and GOAWAY. rest is what was not taken.
func (t *frameTracker) next(p []byte) (f frameHead, code http2.ErrCode, rest []byte, ok bool) {
	if t.left > 0 {
		n := min(t.left, len(p))
		t.left -= n
		return f, 0, p[n:], false
	}

	for want := t.wantedBytes(); t.have < want; want = t.wantedBytes() {
		n := copy(t.head[t.have:want], p)
		t.have += n
		p = p[n:]
		if n == 0 {
			return f, 0, nil, false
		}
	}

	f = parseFrameHead(t.head[:])
	if t.have > frameHeadSize {
		code = http2.ErrCode(binary.BigEndian.Uint32(t.head[t.have-4:]))
	}
	t.left, t.have = f.length-(t.have-frameHeadSize), 0
	if f.kind == http2.FrameHeaders || f.kind == http2.FrameContinuation {
		t.inBlock = !f.endsHeaders()
	}
	return f, code, p, true
}

// wantedBytes returns how much of the frame belongs into head: the head itself, and
// the payload up to an error code.
func (t *frameTracker) wantedBytes() int {
	if t.have < frameHeadSize {
		return frameHeadSize
	}
	switch f := parseFrameHead(t.head[:]); {
	case f.kind == http2.FrameRSTStream && f.length >= resetCodeEnd:
		return frameHeadSize + resetCodeEnd
	case f.kind == http2.FrameGoAway && f.length >= goAwayCodeEnd:
		return frameHeadSize + goAwayCodeEnd
	}
	return frameHeadSize
}
