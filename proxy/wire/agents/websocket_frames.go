package agents

import (
	"encoding/binary"
	"sync/atomic"
)

// messageCounter counts the WebSocket messages that pass in one direction. It reads
// the heads of frames (RFC 6455 section 5.2) and skips payloads. A stream that is
// not a WebSocket gives a meaningless count and no other harm. The zero value with
// count set is ready for use by one goroutine.
type messageCounter struct {
	count   *atomic.Int64
	closing atomic.Bool // a close frame has passed

	head       [maxFrameHead]byte
	headLength int    // bytes of head that have passed
	left       uint64 // payload bytes of the current frame that are still to come
	final      bool   // the current frame ends a message
}

// maxFrameHead is the length of the longest head: 2 bytes, an extended length of 8,
// and a masking key of 4.
const maxFrameHead = 14

// Opcodes and bits of a frame's head.
const (
	finBit        = 0x80 // in the first byte: the last frame of a message
	opcodeBits    = 0x0f // in the first byte
	controlBit    = 0x08 // in the opcode: a control frame
	opcodeClose   = 0x08
	maskBit       = 0x80 // in the second byte: a masking key follows
	lengthBits    = 0x7f // in the second byte
	lengthIsNext2 = 126
	lengthIsNext8 = 127
)

// pass sees the next bytes of the stream.
func (c *messageCounter) pass(p []byte) {
	for len(p) > 0 {
		if c.left == 0 {
			c.head[c.headLength] = p[0]
			c.headLength++
			p = p[1:]
			if c.headLength < frameHeadLength(c.head[:c.headLength]) {
				continue
			}
			c.beginFrame()
		}

		n := min(c.left, uint64(len(p)))
		c.left -= n
		p = p[n:]
		if c.left == 0 && c.headLength == 0 && c.final {
			c.final = false
			c.count.Add(1)
		}
	}
}

// beginFrame reads a complete head.
func (c *messageCounter) beginFrame() {
	switch length := c.head[1] & lengthBits; length {
	case lengthIsNext2:
		c.left = uint64(binary.BigEndian.Uint16(c.head[2:]))
	case lengthIsNext8:
		c.left = binary.BigEndian.Uint64(c.head[2:])
	default:
		c.left = uint64(length)
	}

	first := c.head[0]
	if first&opcodeBits == opcodeClose {
		c.closing.Store(true)
	}
	c.final = first&finBit != 0 && first&controlBit == 0
	c.headLength = 0
}

// frameHeadLength returns the length of the head that begins with h, as far as h
// determines it.
func frameHeadLength(h []byte) int {
	if len(h) < 2 {
		return 2
	}

	n := 2
	switch h[1] & lengthBits {
	case lengthIsNext2:
		n += 2
	case lengthIsNext8:
		n += 8
	}
	if h[1]&maskBit != 0 {
		n += 4
	}
	return n
}
