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

	// bits has what a byte is in a bit each: dropped, early, stop, digits, opener, and the
	// two brackets of tags.
	bits [256]byte
}

const (
	bitDropped = 1 << iota
	bitEarly
	bitStop
	bitDigit
	bitOpener
	bitLess
	bitGreater
)

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
		var stop, digits, opener uint64
		var b classified
		for j, x := range text[i*blockSize:][:blockSize] {
			of := uint64(c.bits[x])
			b.kept |= (of&bitDropped ^ bitDropped) << j
			b.early |= of / bitEarly & 1 << j
			stop |= of / bitStop & 1 << j
			digits |= of / bitDigit & 1 << j
			opener |= of / bitOpener & 1 << j
			b.less |= of / bitLess & 1 << j
			b.greater |= of / bitGreater & 1 << j
		}

		// What follows the last byte of a block is not known.
		opens := stop>>1 | 1<<63 | digits>>1&(digits>>2|1<<62)
		b.early &^= opener &^ opens
		all[i] = b
	}
}

// squeezePortable is squeeze for any processor.
func squeezePortable(text []byte, blocks []block, out []byte) int {
	written := 0
	for i := range blocks {
		b := &blocks[i]
		b.written, b.out = uint64(written), 0
		chunk := text[i*blockSize:][:blockSize]
		for kept := b.kept; kept != 0; kept &= kept - 1 {
			j := bits.TrailingZeros64(kept)
			out[written] = chunk[j]
			b.out |= b.early >> j & 1 << (written - int(b.written))
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
