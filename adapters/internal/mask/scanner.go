package mask

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner returns the offsets of a text at which a secret can begin, by rising order.
type scanner struct {
	mask *Mask
	text []byte

	blocks [scanned]block // of the text, those up to the one at at have been looked at
	next   int            // index of the block to be looked at next
	count  int
	runAt  int // where to look for the next gramRun

	// before and current hold the offsets that were found, in the block before the one
	// that was looked at last, whose offset is at, and in that.
	before, current uint64
	at              int
	special         uint64 // of the block before that at at
}

// scanned is how many blocks are classified together.
const scanned = 16

func newScanner(m *Mask, text []byte) scanner {
	return scanner{mask: m, text: text, at: -blockSize, special: ^uint64(0)}
}

// Next returns the next offset, or the length of the text.
func (s *scanner) Next() int {
	for s.before == 0 {
		if s.at >= len(s.text) {
			return len(s.text)
		}
		s.before, s.current = s.current, 0
		s.at += blockSize
		if s.at < len(s.text) {
			s.scanBlock()
		}
	}

	p := s.at - blockSize + bits.TrailingZeros64(s.before)
	s.before &= s.before - 1
	return p
}

// mark adds an offset at most one block before the one that is being looked at.
func (s *scanner) mark(p int) {
	if p >= s.at {
		s.current |= 1 << (p - s.at)
	} else if p >= 0 {
		s.before |= 1 << (p - s.at + blockSize)
	}
}

// classifyNext classifies the blocks from s.at on.
func (s *scanner) classifyNext() {
	s.next = 0
	rest := s.text[s.at:]
	if s.count = min(len(rest)/blockSize, scanned); s.count > 0 {
		classify(&s.mask.filter.class, rest, s.blocks[:s.count])
		return
	}

	var last [blockSize]byte
	n := copy(last[:], rest)
	s.count = 1
	classify(&s.mask.filter.class, last[:], s.blocks[:1])
	inText := uint64(1)<<n - 1
	s.blocks[0].special &= inText
	s.blocks[0].early &= inText
}

// margin is how many bytes before and after a block are looked at.
const margin = 4

// scanBlock looks at the block at s.at.
func (s *scanner) scanBlock() {
	if s.next == s.count {
		s.classifyNext()
	}
	b := s.blocks[s.next]
	s.next++

	plain := ^b.special
	afterTwo := b.special & (plain<<1 | ^s.special>>63) & (plain<<2 | ^s.special>>62)
	s.special = b.special

	if s.at < margin || s.at+blockSize+margin > len(s.text) {
		s.scanEdge(afterTwo, b.early)
		return
	}
	around := (*[margin + blockSize + margin]byte)(s.text[s.at-margin:])
	if s.mask.filter.hasAnyBefore(around, afterTwo) {
		s.checkSpecial(afterTwo)
	}
	if s.mask.filter.hasAnyRun(around, s.runAt-s.at) {
		s.checkRuns()
	} else {
		s.skipRuns()
	}
	if b.early != 0 {
		s.checkAllEarly(around, b.early)
	}
}

// scanEdge is scanBlock for a block with too little text before or after it.
func (s *scanner) scanEdge(afterTwo, early uint64) {
	s.checkSpecial(afterTwo)
	s.checkRuns()
	for ; early != 0; early &= early - 1 {
		s.checkEarly(s.at + bits.TrailingZeros64(early))
	}
	if s.at+blockSize >= len(s.text) {
		s.checkEnd()
	}
}

// hasAnyBefore reports whether a needle has the three bytes before any of the special
// bytes. It looks at three of them before it decides, which is faster.
func (f *filter) hasAnyBefore(around *[margin + blockSize + margin]byte, special uint64) bool {
	// The last one is looked at again if there are less.
	last := uint64(1) << 63 >> bits.LeadingZeros64(special)
	found := uint64(0)
	for range (bits.OnesCount64(special) + 2) / 3 {
		at := bits.TrailingZeros64(special) % blockSize
		special = special&(special-1) | last
		found |= f.bit(gramBefore, binary.LittleEndian.Uint32(around[at:at+4]))

		at = bits.TrailingZeros64(special) % blockSize
		special = special&(special-1) | last
		found |= f.bit(gramBefore, binary.LittleEndian.Uint32(around[at:at+4]))

		at = bits.TrailingZeros64(special) % blockSize
		special = special&(special-1) | last
		found |= f.bit(gramBefore, binary.LittleEndian.Uint32(around[at:at+4]))
	}
	return found&1 != 0
}

// hasAnyRun reports whether a needle has four bytes that are to be looked at in a block.
func (f *filter) hasAnyRun(around *[margin + blockSize + margin]byte, from int) bool {
	found := uint64(0)
	for at := uint(from + margin); at < margin+blockSize; at += uint(f.stride()) {
		found |= f.bit(gramRun, binary.LittleEndian.Uint32(around[at:at+4]))
	}
	return found&1 != 0
}

// checkRuns looks at every stride bytes.
func (s *scanner) checkRuns() {
	f := &s.mask.filter
	stride := f.stride()
	i, end := s.runAt, min(s.at+blockSize, len(s.text)-gramSize+1)
	for ; i < end; i += stride {
		if f.has(gramRun, load32(s.text, i)) {
			s.markPlain(i-stride+1, i)
		}
	}
	s.runAt = i
}

// skipRuns is checkRuns for a block in which there is none.
func (s *scanner) skipRuns() {
	stride := s.mask.filter.stride()
	for s.runAt < s.at+blockSize {
		s.runAt += stride
	}
}

// checkSpecial looks before special bytes of the block that follow two plain ones.
func (s *scanner) checkSpecial(special uint64) {
	for ; special != 0; special &= special - 1 {
		q := s.at + bits.TrailingZeros64(special)
		switch {
		case q == 2:
			s.markPair(0)
		case q == 3:
			s.checkBefore(q)
		case q > 3 && s.mask.filter.has(gramBefore, load32(s.text, q-4)):
			s.checkBefore(q)
		}
	}
}

// checkBefore marks the offsets at which a needle can begin that goes on with the
// special byte at q.
func (s *scanner) checkBefore(q int) {
	f, text := &s.mask.filter, s.text
	if isSeparator(text[q]) && q+1 < len(text) && text[q+1] != '0' && s.isPlain(q+1) && !f.has(gramAcross, gramAcrossOf(text[q-2], text[q-1], text[q+1])) {
		return
	}
	s.markPlain(q-f.reach+1, q-3)
	s.markPair(q - 2)
}

// isSeparator reports whether c separates groups and is nothing else.
func isSeparator(c byte) bool {
	return c != '<' && c < utf8.RuneSelf && skipOf(rune(c)) == skipGroup
}

// markPlain marks those of the offsets from first to last, at which plain bytes stand,
// at which a needle can begin.
func (s *scanner) markPlain(first, last int) {
	for p := max(first, 0); p <= last && p+3 <= len(s.text); p++ {
		if s.mask.filter.hasHead(s.text[p], s.text[p+1], s.text[p+2]) {
			s.mark(p)
		}
	}
}

// markPair marks an offset if a needle can begin with the two bytes there.
func (s *scanner) markPair(p int) {
	if s.mask.canBegin(s.text[p], s.text[p+1]) {
		s.mark(p)
	}
}

// checkAllEarly looks at the early bytes of a block.
func (s *scanner) checkAllEarly(around *[margin + blockSize + margin]byte, early uint64) {
	f := &s.mask.filter
	var kept [blockSize]uint8
	n := 0
	for ; early != 0; early &= early - 1 {
		k := bits.TrailingZeros64(early)
		kind := f.kinds[around[k+margin]]
		kept[n%blockSize] = uint8(k)
		n += int(f.beforeKinds[around[k+margin-1]] & f.afterKinds[around[k+margin+1]] >> kind & 1)
	}
	for _, k := range kept[:n] {
		s.checkEarly(s.at + int(k))
	}
}

// checkEnd marks offsets from which plain bytes go on to the end of the text, fewer
// than can be found otherwise.
func (s *scanner) checkEnd() {
	n := len(s.text)
	for p := n - 1; p >= max(n-s.mask.filter.reach, 0) && s.isPlain(p); p-- {
		switch n - p {
		case 1:
			if s.mask.canBeginWith(rune(s.text[p])) {
				s.mark(p)
			}
		case 2:
			s.markPair(p)
		default:
			s.markPlain(p, p)
		}
	}
}
