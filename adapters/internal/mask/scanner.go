package mask

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

const (
	// batch is how many blocks are squeezed together.
	batch = 64

	// carried is how many squeezed bytes of the batch before are kept. A gram at the
	// beginning of a batch can mark offsets that are at most mostReach bytes before it.
	carried = 32
)

// scanner returns the offsets of a text at which a secret can begin, by rising order.
// Offsets of squeezed bytes count from the first carried one.
type scanner struct {
	mask *Mask
	text []byte

	last int // the last offset that is returned
	next int // where the text goes on that is not squeezed yet

	blocks  [batch]block
	bytes   [carried + batch*blockSize + 8]byte // squeezed
	size    int                                 // of bytes
	origins [carried]int                        // of the carried bytes in the text; -1 before its beginning
	begin   int                                 // offset of the first block
	count   int                                 // of blocks
	runAt   int                                 // where to look for the next gramRun

	marks [(carried+batch*blockSize)/64 + 2]uint64 // of the squeezed bytes
	word  int                                      // of marks that is being returned
	limit int                                      // from which on more marks may come

	cursor cursor

	matcher matcher // for the offsets that are returned
}

// cursor finds out where a squeezed byte stands in the text, for rising offsets.
type cursor struct {
	block int
	kept  uint64 // the bytes of the block from offset on
	at    int
}

var scannerPool = sync.Pool{New: func() any { return new(scanner) }}

// scan returns a scanner of a text. If the text is whole, a secret does not go on after
// it. Callers return the scanner by free.
func (m *Mask) scan(text []byte, isWhole bool) *scanner {
	s := scannerPool.Get().(*scanner)
	s.mask, s.text, s.next, s.last = m, text, 0, len(text)-1
	if isWhole {
		s.last = len(text) - minSecret
	}
	s.size, s.count, s.runAt = carried, 0, carried
	s.word, s.limit = 0, 0
	copy(s.bytes[:carried], beforeText)
	s.origins = noOrigins
	s.marks[0], s.marks[1] = 0, 0
	s.matcher.reset(m, text)
	return s
}

// beforeText is what is carried to the first batch: early bytes, which are in no gram.
const beforeText = "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"

var noOrigins = func() (none [carried]int) {
	for i := range none {
		none[i] = -1
	}
	return none
}()

func (s *scanner) free() {
	s.mask, s.text = nil, nil
	s.matcher.reset(nil, nil)
	scannerPool.Put(s)
}

// Next returns the next offset, or the length of the text.
func (s *scanner) Next() int {
	for {
		for s.word*64 < s.limit {
			marks := s.marks[s.word]
			if s.limit-s.word*64 < 64 {
				marks &= 1<<(s.limit-s.word*64) - 1
			}
			if marks == 0 {
				s.word++
				continue
			}
			bit := bits.TrailingZeros64(marks)
			s.marks[s.word] &^= 1 << bit
			if p := s.originOf(s.word*64 + bit); p > s.last {
				return len(s.text)
			} else if p >= 0 {
				return p
			}
		}
		if s.next >= len(s.text) || s.last < 0 {
			return len(s.text)
		}
		s.scanBatch()
	}
}

// originOf returns where in the text the squeezed byte at offset i stands.
func (s *scanner) originOf(i int) int {
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

func (s *scanner) mark(i int) { s.marks[i>>6] |= 1 << (i & 63) }

// scanBatch squeezes the next blocks and marks the offsets in them.
func (s *scanner) scanBatch() {
	s.carry()
	s.squeeze()
	s.checkRuns()
	s.checkAllEarly()

	s.limit = s.size - mostReach
	if s.next == len(s.text) {
		s.checkEnd()
		s.limit = s.size
	}
}

// carry moves the end of the squeezed bytes to the beginning.
func (s *scanner) carry() {
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
	s.runAt -= first
	s.word = 0
}

// squeeze squeezes the next blocks.
func (s *scanner) squeeze() {
	s.begin = s.next
	rest := s.text[s.next:]
	if s.count = min(len(rest)/blockSize, batch); s.count > 0 {
		s.size = carried + squeeze(&s.mask.filter.classes, rest, s.blocks[:s.count], s.bytes[carried:])
		s.next += s.count * blockSize
	} else {
		var last [blockSize]byte
		n := copy(last[:], rest)
		s.count = 1
		squeeze(&s.mask.filter.classes, last[:], s.blocks[:1], s.bytes[carried:])
		s.blocks[0].kept &= 1<<n - 1
		s.blocks[0].early &= 1<<n - 1
		written := bits.OnesCount64(s.blocks[0].kept)
		s.blocks[0].out &= 1<<written - 1
		s.size = carried + written
		s.next += n
	}
	s.cursor = cursor{0, s.blocks[0].kept, carried}
}

// checkRuns looks at every stride bytes.
func (s *scanner) checkRuns() {
	f := &s.mask.filter
	stride := f.stride()
	bytes := s.bytes[:s.size]
	i := s.runAt
	for ; i+7*stride+gramSize <= len(bytes); i += 8 * stride {
		found := uint64(0)
		for at := i; at < i+8*stride; at += stride {
			found |= f.bit(gramRun, binary.LittleEndian.Uint32(bytes[at:]))
		}
		if found&1 != 0 {
			s.checkSomeRuns(i, i+8*stride)
		}
	}
	s.checkSomeRuns(i, len(bytes)-gramSize+1)
	for i+gramSize <= len(bytes) {
		i += stride
	}
	s.runAt = i
}

func (s *scanner) checkSomeRuns(from, to int) {
	f := &s.mask.filter
	for ; from < to; from += f.stride() {
		if f.has(gramRun, binary.LittleEndian.Uint32(s.bytes[from:])) {
			s.markHeads(from-f.stride()+1, from)
		}
	}
}

// markHeads marks those of the offsets from first to last at which a needle can begin.
func (s *scanner) markHeads(first, last int) {
	for i := first; i <= last; i++ {
		if s.mask.filter.hasHead(s.bytes[i], s.bytes[i+1], s.bytes[i+2]) && s.canGoOn(i) {
			s.mark(i)
		}
	}
}

// canGoOn reports whether a needle that begins at offset i can have the bytes there, as
// far as they are known and plain.
func (s *scanner) canGoOn(i int) bool {
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
func (s *scanner) markPair(i int) {
	if s.mask.canBegin(s.bytes[i], s.bytes[i+1]) {
		s.mark(i)
	}
}

// checkAllEarly looks at the early bytes of the blocks.
func (s *scanner) checkAllEarly() {
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

			before := binary.LittleEndian.Uint32(s.bytes[i-4:])
			kind := f.kinds[text[p]]
			found := f.bit(gramBefore, before) | f.pairs[codes[byte(before>>16)]]>>codes[byte(before>>24)]
			isEarly := f.beforeKinds[byte(before>>24)] & f.afterKinds[text[p+1]] >> kind
			if (found|uint64(isEarly))&1 == 0 {
				continue
			}
			s.checkBefore(i)
			if isEarly&1 != 0 && !s.isDull(kind, i, p) {
				s.checkEarly(i, p)
			}
		}
	}
}

// checkBefore marks the offsets at which a needle can begin that goes on after a
// separator, or with an escape, at offset i.
func (s *scanner) checkBefore(i int) {
	f := &s.mask.filter
	if f.has(gramBefore, binary.LittleEndian.Uint32(s.bytes[i-4:])) {
		s.markHeads(i-f.reach+1, i-3)
	}
	if f.hasPair(s.bytes[i-2], s.bytes[i-1]) {
		s.mark(i - 2)
	}
}

// checkEnd marks offsets from which plain bytes go on to the end of the text, fewer
// than can be found otherwise.
func (s *scanner) checkEnd() {
	for i := s.size - 1; i >= s.size-s.mask.filter.reach && !s.isEarly(i); i-- {
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

func (s *scanner) isEarly(i int) bool { return s.mask.filter.roles[s.bytes[i]] == roleEarly }
