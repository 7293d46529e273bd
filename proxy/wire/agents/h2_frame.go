package agents

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// frame2 is the head of a frame (RFC 9113 section 4.1).
type h2Frame struct {
	length int
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

func headOfFrame(b []byte) h2Frame {
	return h2Frame{length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), kind: http2.FrameType(b[3]), flags: http2.Flags(b[4]),
		stream: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1)}
}

func appendFrameHead(b []byte, f h2Frame) []byte {
	b = append(b, byte(f.length>>16), byte(f.length>>8), byte(f.length), byte(f.kind), byte(f.flags))
	return binary.BigEndian.AppendUint32(b, f.stream)
}

// tracker follows frames in a stream of bytes. The zero value stands before the
// first.
type tracker struct {
	head [frameHead + 8]byte
	have int
	left int  // of the payload
	open bool // a header block goes on in the next frame
}

// between is true where one frame has ended and another than the next may begin.
func (t *tracker) between() bool { return t.have == 0 && t.left == 0 && !t.open }

// next takes bytes off p up to the end of a frame's payload, or of what is looked
// at of a head; then ok is true. code is the error code of RST_STREAM and GOAWAY.
func (t *tracker) next(p []byte) (f h2Frame, code http2.ErrCode, rest []byte, ok bool) {
	if t.left > 0 {
		n := min(t.left, len(p))
		t.left -= n
		return f, 0, p[n:], false
	}
	for want := t.want(); t.have < want; want = t.want() {
		n := copy(t.head[t.have:want], p)
		if t.have += n; n == 0 {
			return f, 0, nil, false
		}
		p = p[n:]
	}
	f = headOfFrame(t.head[:])
	if t.have > frameHead {
		code = http2.ErrCode(binary.BigEndian.Uint32(t.head[t.have-4:]))
	}
	t.left, t.have = f.length-(t.have-frameHead), 0
	if f.kind == http2.FrameHeaders || f.kind == http2.FrameContinuation {
		t.open = !f.flags.Has(http2.FlagHeadersEndHeaders) // CONTINUATION has it at the same place
	}
	return f, code, p, true
}

// want is how much of the frame is looked at: its head, and an error code.
func (t *tracker) want() int {
	if t.have < frameHead {
		return frameHead
	}
	switch f := headOfFrame(t.head[:]); {
	case f.kind == http2.FrameRSTStream && f.length >= 4:
		return frameHead + 4
	case f.kind == http2.FrameGoAway && f.length >= 8:
		return frameHead + 8
	}
	return frameHead
}
