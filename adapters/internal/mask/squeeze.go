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

// classes say what classify does with each byte. The assembly knows the offsets of the
// fields.
type classes struct {
	dropped byteSet // left out
	early   byteSet // kept, and told

	// The byte opener is told only if a byte of stop follows it, or two of digits.
	stop   byteSet
	digits byteSet
	opener [16]byte // 16 times the same byte

	populations [256]byte // how many bits each byte has

	// bits has what a byte is in a bit each, from the lowest on: dropped, early, of stop, of
	// digits, opener, and one of the two brackets of tags.
	bits [256]byte
}

const blockSize = 64 // bytes, one for each bit of a mask

// classified is what classify returns about blockSize bytes of text, a bit for each.
type classified struct {
	kept          uint64
	early         uint64
	less, greater uint64 // '<' and '>'
}

// block is what squeeze is told and returns about blockSize bytes of text.
type block struct {
	kept    uint64 // which bytes
	early   uint64 // which of them are early
	out     uint64 // returned: early, by the numbers of the kept bytes
	written uint64 // returned: number of bytes that were written before those of this block
}

// classifyPortable is classify for any processor.
func classifyPortable(c *classes, text []byte, all []classified) {
	for i := range all {
		var is [7]uint64 // by the numbers of the bits
		chunk := text[i*blockSize:][:blockSize]
		for j := 0; j < blockSize; j += 8 {
			eight := uint64(0)
			for k, x := range chunk[j : j+8] {
				eight |= uint64(c.bits[x]) << (8 * k)
			}
			for bit := range is {
				is[bit] |= lowestBits(eight>>bit) << j
			}
		}

		// What follows the last byte of a block is not known.
		opens := is[2]>>1 | 1<<63 | is[3]>>1&(is[3]>>2|1<<62)
		all[i] = classified{kept: ^is[0], early: is[1] &^ (is[4] &^ opens), less: is[5], greater: is[6]}
	}
}

// lowestBits returns the lowest bit of each of eight bytes. The product adds bit 8*k to bit
// 56+k.
func lowestBits(eight uint64) uint64 {
	return eight & 0x0101010101010101 * 0x0102040810204080 >> 56
}

// squeezePortable is squeeze for any processor.
func squeezePortable(text []byte, blocks []block, out []byte) int {
	written := 0
	for i := range blocks {
		b := &blocks[i]
		b.written, b.out = uint64(written), 0
		for early := b.early & b.kept; early != 0; early &= early - 1 {
			before := early&-early - 1
			b.out |= 1 << bits.OnesCount64(b.kept&before)
		}

		chunk := text[i*blockSize:][:blockSize]
		for kept := b.kept; kept != 0; kept &= kept - 1 {
			out[written] = chunk[bits.TrailingZeros64(kept)&(blockSize-1)]
			written++
		}
	}
	return written
}

// init fills the tables that follow from the sets.
func (c *classes) init() {
	for b := range 256 {
		x := byte(b)
		c.populations[b] = byte(bits.OnesCount8(x))
		c.bits[b] = 0
		for bit, is := range [...]bool{c.dropped.has(x), c.early.has(x), c.stop.has(x), c.digits.has(x), x == c.opener[0], x == '<', x == '>'} {
			if is {
				c.bits[b] |= 1 << bit
			}
		}
	}
}
