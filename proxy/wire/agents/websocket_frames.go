package agents

import (
	"encoding/binary"
	"sync/atomic"
)

// frames counts the messages that pass in one direction by the heads of their
// frames (RFC 6455 section 5.2). Payloads are skipped unread. What is no
// WebSocket gives a number without meaning, and nothing worse. The zero value
// with a count is ready; it is for one goroutine.
type frames struct {
	count *atomic.Int64
	head  [14]byte
	have  int
	left  uint64      // of the payload
	final bool        // this frame ends a message
	over  atomic.Bool // a close frame was seen: what breaks from here on was over
}

// pass sees the next bytes of the stream.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.left == 0 {
			f.head[f.have] = p[0]
			f.have++
			p = p[1:]
			if f.have < headLength(f.head[:f.have]) {
				continue
			}
			f.begin()
		}
		n := min(f.left, uint64(len(p)))
		f.left -= n
		p = p[n:]
		if f.left == 0 && f.have == 0 && f.final {
			f.final = false
			f.count.Add(1)
		}
	}
}

// begin reads a whole head.
func (f *frames) begin() {
	switch short := f.head[1] & 0x7f; short {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(f.head[2:])
	default:
		f.left = uint64(short)
	}
	const fin, control = 0x80, 0x08
	if f.head[0]&0x0f == 8 {
		f.over.Store(true)
	}
	f.final = f.head[0]&fin != 0 && f.head[0]&control == 0
	f.have = 0
}

// headLength is how long the head is that starts with h, as far as h tells.
func headLength(h []byte) int {
	if len(h) < 2 {
		return 2
	}
	n := 2
	switch h[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if h[1]&0x80 != 0 { // masked
		n += 4
	}
	return n
}
