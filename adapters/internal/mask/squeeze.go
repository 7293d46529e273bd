package mask

import "math/bits"

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

func (s *byteSet) remove(b byte) {
	if b < 128 {
		s.low[b&15] &^= 1 << (b >> 4)
	} else {
		s.high[b&15] &^= 1 << (b>>4 - 8)
	}
}

func (s *byteSet) has(b byte) bool {
	if b < 128 {
		return s.low[b&15]>>(b>>4)&1 != 0
	}
	return s.high[b&15]>>(b>>4-8)&1 != 0
}

// classes say what squeeze does with each byte.
type classes struct {
	dropped byteSet // left out
	early   byteSet // kept, and told
	after   byteSet // what must follow the byte opener for it to be told

	opener      [16]byte  // 16 times the same byte
	populations [256]byte // how many bits each byte has
}

const blockSize = 64 // bytes, one for each bit of a mask

// block is what squeeze returns about blockSize bytes of text.
type block struct {
	kept    uint64 // which bytes
	early   uint64 // which of them are early
	out     uint64 // early, by the numbers of the kept bytes
	written uint64 // number of bytes that were written before those of this block
}

// squeezePortable is squeeze for any processor.
func squeezePortable(c *classes, text []byte, blocks []block, out []byte) int {
	written := 0
	for i := range blocks {
		b := block{written: uint64(written)}
		chunk := text[i*blockSize:][:blockSize]
		for j, x := range chunk {
			if c.dropped.has(x) {
				continue
			}
			b.kept |= 1 << j
			out[written] = x
			if c.early.has(x) && (x != c.opener[0] || j == blockSize-1 || c.after.has(chunk[j+1])) {
				b.early |= 1 << j
				b.out |= 1 << (written - int(b.written))
			}
			written++
		}
		blocks[i] = b
	}
	return written
}

// init fills the tables that do not depend on the sets.
func (c *classes) init() {
	for b := range c.populations {
		c.populations[b] = byte(bits.OnesCount8(uint8(b)))
	}
}
