package mask

import "encoding/binary"

// byteSet is a set of bytes. Byte b is in it if bit b>>4 of its row b&15 is set, so
// that a vector instruction can look up the rows of many bytes.
type byteSet struct {
	low  [16]uint8 // of the bytes below 128
	high [16]uint8 // of the others, by the bits of b>>4 - 8
}

func (s *byteSet) add(b byte) {
	if b < 128 {
		s.low[b&15] |= 1 << (b >> 4)
	} else {
		s.high[b&15] |= 1 << (b>>4 - 8)
	}
}

func (s *byteSet) has(b byte) bool {
	if b < 128 {
		return s.low[b&15]>>(b>>4)&1 != 0
	}
	return s.high[b&15]>>(b>>4-8)&1 != 0
}

const blockSize = 64 // bytes, one for each bit of a mask

// block says for each byte of a block of text whether it is special, and early.
type block struct{ special, early uint64 }

func load32(b []byte, p int) uint32 { return binary.LittleEndian.Uint32(b[p:]) }

// classifyPortable is classify for any processor.
func classifyPortable(c *classes, b []byte, blocks []block) {
	for i := range blocks {
		var special, early uint64
		for j, x := range b[i*blockSize:][:blockSize] {
			if c.special.has(x) {
				special |= 1 << j
				if c.early.has(x) {
					early |= 1 << j
				}
			}
		}
		blocks[i] = block{special, early}
	}
}
