package mask

import (
	"encoding/binary"
	"math/bits"
)

// carried is how many squeezed bytes of the batch before are kept. A gram at the
// beginning of a batch can mark offsets that are at most mostReach bytes before it.
const carried = 32

// stream is a part of a text: what tags consist of, or all the rest, squeezed. It marks
// the offsets at which a secret can begin that consists of nothing else. Offsets of
// squeezed bytes count from the first carried one.
type stream struct {
	mask *Mask
	text []byte

	blocks  [batch]block
	bytes   [carried + (batch+1)*blockSize]byte // squeezed
	size    int                                 // of bytes
	origins [carried]int                        // of the carried bytes in the text; -1 before its beginning
	begin   int                                 // offset of the first block
	count   int                                 // of blocks
	runAt   int                                 // where to look for the next gramRun

	marks [(carried+batch*blockSize)/64 + 2]uint64 // of the squeezed bytes
	found [batch + 1]uint64                        // of checkRuns

	cursor cursor
}

// cursor finds out where a squeezed byte stands in the text, for rising offsets.
type cursor struct {
	block int
	kept  uint64 // the bytes of the block from offset on
	at    int
}

// beforeText is what is carried to the first batch: bytes which are in no gram.
const beforeText = "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"

var noOrigins = func() (none [carried]int) {
	for i := range none {
		none[i] = -1
	}
	return none
}()

// reset prepares the stream for what has nothing to do with what it held.
func (s *stream) reset(m *Mask, text []byte) {
	s.mask, s.text = m, text
	clear(s.marks[:s.size>>6+2])
	s.size, s.count, s.runAt = carried, 0, carried
	copy(s.bytes[:carried], beforeText)
	s.origins = noOrigins
}

// originOf returns where in the text the squeezed byte at offset i stands.
func (s *stream) originOf(i int) int {
	if i < carried {
		return s.origins[i]
	}
	c := &s.cursor
	for c.block+1 < s.count && carried+int(s.blocks[c.block+1].written) <= i {
		c.block++
		c.kept, c.at = s.blocks[c.block].kept, carried+int(s.blocks[c.block].written)
	}
	for ; c.at < i; c.at++ {
		c.kept &= c.kept - 1
	}
	return s.begin + c.block*blockSize + bits.TrailingZeros64(c.kept)
}

func (s *stream) mark(i int) { s.marks[i>>6] |= 1 << (i & 63) }

// carry moves the end of the squeezed bytes to the beginning, before the blocks are used
// for what follows.
func (s *stream) carry() {
	if s.count == 0 {
		return
	}
	first := s.size - carried

	var origins [carried]int
	at := carried - 1
	for block := s.count - 1; block >= 0 && at >= 0; block-- {
		for kept := s.blocks[block].kept; kept != 0 && at >= 0; at-- {
			last := 63 - bits.LeadingZeros64(kept)
			origins[at] = s.begin + block*blockSize + last
			kept &^= 1 << last
		}
	}
	copy(origins[:at+1], s.origins[carried-at-1:])
	s.origins = origins

	marks := s.marks[first>>6]>>(first&63) | s.marks[first>>6+1]<<1<<(63-first&63)
	clear(s.marks[:s.size>>6+2])
	s.marks[0] = marks & (1<<carried - 1)
	copy(s.bytes[:carried], s.bytes[first:s.size])
	s.size = carried
	s.runAt -= first
}

// scan squeezes count blocks that begin at offset begin of the text and stand in of,
// which is longer if the text is, and marks the offsets in them.
func (s *stream) scan(begin int, of []byte, count int) {
	s.begin, s.count = begin, count
	s.size = carried + squeeze(&s.mask.filter.classes, of, s.blocks[:count], s.bytes[carried:])
	s.cursor = cursor{0, s.blocks[0].kept, carried}
	s.checkRuns()
	s.checkAllEarly()
}

// frontier returns the offset of the text before which nothing is marked any more, and
// that of the squeezed byte there.
func (s *stream) frontier() (p, i int) {
	i = s.size - mostReach
	if i < carried {
		return s.origins[i], i
	}

	block, left := s.count-1, mostReach
	for ; left > bits.OnesCount64(s.blocks[block].kept); block-- {
		left -= bits.OnesCount64(s.blocks[block].kept)
	}
	kept := s.blocks[block].kept
	for range left - 1 {
		kept &^= 1 << (63 - bits.LeadingZeros64(kept))
	}
	return s.begin + block*blockSize + 63 - bits.LeadingZeros64(kept), i
}

// appendMarked appends to dst where the marked bytes before offset limit stand in the
// text.
func (s *stream) appendMarked(dst []int, limit int) []int {
	for word := 0; word*64 < limit; word++ {
		marks := s.marks[word]
		if limit-word*64 < 64 {
			marks &= 1<<(limit-word*64) - 1
		}
		s.marks[word] &^= marks
		for ; marks != 0; marks &= marks - 1 {
			if p := s.originOf(word*64 + bits.TrailingZeros64(marks)); p >= 0 {
				dst = append(dst, p)
			}
		}
	}
	return dst
}

// checkRuns looks at every stride bytes.
func (s *stream) checkRuns() {
	f := &s.mask.filter
	stride := f.stride()
	n := 0
	if s.runAt+gramSize <= s.size {
		n = (s.size-gramSize-s.runAt)/stride + 1
	}
	for n > 0 {
		some := min(n, 64*len(s.found))
		findGrams(&f.grams, s.bytes[s.runAt:], stride, some, s.found[:])
		for k, found := range s.found[:(some+63)/64] {
			for found != 0 {
				i := bits.LeadingZeros64(found)
				found &^= 1 << (63 - i)
				s.checkRun(s.runAt + (k*64+i)*stride)
			}
		}
		n -= some
		s.runAt += some * stride
	}
}

// checkRun looks at a gramRun at offset at. All grams within reach of the beginning of a
// needle are such ones, so that one without the next one is the last, and one without
// the one before is the first.
func (s *stream) checkRun(at int) {
	f := &s.mask.filter
	first, last := at-f.stride()+1, at
	if at+1+gramSize <= s.size && !f.has(gramRun, binary.LittleEndian.Uint32(s.bytes[at+1:])) {
		last = first
	}
	if !f.has(gramRun, binary.LittleEndian.Uint32(s.bytes[at-1:])) {
		first = at
	}
	s.markHeads(first, last)
}

// markHeads marks those of the offsets from first to last at which a needle can begin.
func (s *stream) markHeads(first, last int) {
	for i := first; i <= last; i++ {
		if s.mask.filter.hasHead(s.bytes[i], s.bytes[i+1], s.bytes[i+2]) && s.canGoOn(i) {
			s.mark(i)
		}
	}
}

// canGoOn reports whether a needle that begins at offset i can have the bytes there, as
// far as they are known and plain.
func (s *stream) canGoOn(i int) bool {
	f := &s.mask.filter
	for k := 0; k+gramSize <= f.reach; k += gramSize {
		if i+k+gramSize > s.size {
			return true
		}
		gram := s.bytes[i+k : i+k+gramSize]
		if f.roles[gram[0]]|f.roles[gram[1]]|f.roles[gram[2]]|f.roles[gram[3]] != rolePlain {
			return true
		}
		if !f.has(gramRun, binary.LittleEndian.Uint32(gram)) {
			return false
		}
	}
	return true
}

// markPair marks an offset if a needle can begin with the two bytes there.
func (s *stream) markPair(i int) {
	if s.mask.canBegin(s.bytes[i], s.bytes[i+1]) {
		s.mark(i)
	}
}

// checkAllEarly looks at the early bytes of the blocks.
func (s *stream) checkAllEarly() {
	f, text := &s.mask.filter, s.text
	for n := range s.blocks[:s.count] {
		b := &s.blocks[n]
		begin, first := s.begin+n*blockSize, carried+int(b.written)
		out := b.out
		for early := b.early; early != 0; early &= early - 1 {
			p, i := begin+bits.TrailingZeros64(early), first+bits.TrailingZeros64(out)
			out &= out - 1
			if p+1 >= len(text) {
				s.checkBefore(i)
				s.checkEarly(i, p)
				continue
			}

			kind := f.kinds[text[p]]
			weight := unknown
			if kind == earlyAmpersand || kind == earlyBackslash {
				weight = f.weigh(kind, text, p)
			}
			if weight == inert {
				continue
			}
			before := binary.LittleEndian.Uint32(s.bytes[i-4:])
			if (f.bit(gramBefore, before)|f.pairs[codes[byte(before>>16)]]>>codes[byte(before>>24)])&1 != 0 {
				s.checkBefore(i)
			}
			isEarly := f.beforeKinds[byte(before>>24)] & f.afterKinds[text[p+1]] >> kind
			if isEarly&1 != 0 && weight == unknown && !s.isDull(kind, i, p) {
				s.checkEarly(i, p)
			}
		}
	}
}

// checkBefore marks the offsets at which a needle can begin that goes on after a
// separator, or with an escape, at offset i.
func (s *stream) checkBefore(i int) {
	f := &s.mask.filter
	before := binary.LittleEndian.Uint32(s.bytes[i-4:])
	if f.has(gramBefore, before) {
		// What begins further before is plain, a gram of four bytes.
		first := i - 3
		if f.has(gramRun, before) {
			first = i - f.reach + 1
		}
		s.markHeads(first, i-3)
	}
	if f.hasPair(s.bytes[i-2], s.bytes[i-1]) {
		s.mark(i - 2)
	}
}

// checkEnd marks offsets from which plain bytes go on to the end of the text, fewer
// than can be found otherwise.
func (s *stream) checkEnd() {
	for i := s.size - 1; i >= s.size-s.mask.filter.reach && (!s.isEarly(i) || s.bytes[i] == '='); i-- {
		switch s.size - i {
		case 1:
			if s.mask.canBeginWith(rune(s.bytes[i])) {
				s.mark(i)
			}
		case 2:
			s.markPair(i)
		default:
			s.markHeads(i, i)
		}
	}
}

func (s *stream) isEarly(i int) bool { return s.mask.filter.roles[s.bytes[i]] == roleEarly }
