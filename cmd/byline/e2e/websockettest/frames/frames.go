// Package frames reads and writes the frames of WebSockets for tests. It shares no code
// with Byline, so that Byline can be held against it.
package frames

import (
	"encoding/binary"
	"errors"
)

// Frame is one frame of RFC 6455, Section 5.2, as it was sent.
type Frame struct {
	First   byte // FIN, the reserved bits and the opcode
	Masked  bool
	Key     [4]byte
	Payload []byte // not masked
}

var errFrame = errors.New("frames: not a whole frame")

// ReadFrame reads the first frame of b and returns what follows it.
func ReadFrame(b []byte) (f Frame, rest []byte, err error) {
	if len(b) < 2 {
		return f, b, errFrame
	}
	f.First, f.Masked = b[0], b[1] >= 128
	length, at := uint64(b[1]%128), 2
	if length >= 126 {
		size := 2
		if length == 127 {
			size = 8
		}
		if len(b) < at+size {
			return f, b, errFrame
		}
		var wide [8]byte
		copy(wide[8-size:], b[at:at+size])
		length, at = binary.BigEndian.Uint64(wide[:]), at+size
	}
	if f.Masked {
		if len(b) < at+4 {
			return f, b, errFrame
		}
		copy(f.Key[:], b[at:])
		at += 4
	}
	if uint64(len(b)-at) < length {
		return f, b, errFrame
	}

	for i, c := range b[at : at+int(length)] {
		if f.Masked {
			c ^= f.Key[i%4]
		}
		f.Payload = append(f.Payload, c)
	}
	return f, b[at+int(length):], nil
}

// Append appends the frame to b. Its length is written in the shortest way.
func (f Frame) Append(b []byte) []byte {
	masked := byte(0)
	if f.Masked {
		masked = 128
	}

	b = append(b, f.First)
	switch n := len(f.Payload); {
	case n <= 125:
		b = append(b, masked+byte(n))
	case n <= 65535:
		b = binary.BigEndian.AppendUint16(append(b, masked+126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked+127), uint64(n))
	}
	if !f.Masked {
		return append(b, f.Payload...)
	}

	b = append(b, f.Key[:]...)
	for i, c := range f.Payload {
		b = append(b, c^f.Key[i%4])
	}
	return b
}

// Unmask returns frames with a masking key of zeros in those that have one, so
// that they can be compared. What is not a whole frame stays as it is.
func Unmask(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		f, rest, err := ReadFrame(b)
		if err != nil {
			return append(out, b...)
		}
		f.Key = [4]byte{}
		out, b = f.Append(out), rest
	}
	return out
}
