package mask

import (
	"math"
	"slices"
	"sync"
)

// batch is how many blocks are squeezed together.
const batch = 128

// scanner returns the offsets of a text at which a secret can begin, by rising order.
type scanner struct {
	mask *Mask
	text []byte

	last int // the last offset that is returned
	next int // where the text goes on that is not scanned yet

	classified [batch]classified
	inside     [batch]uint64 // which bytes of the blocks belong to tags
	begin      int           // offset of the first block
	count      int           // of blocks
	isInTag    bool          // at next

	// Secrets stand outside of tags, whatever tags are between their characters, or in one.
	outside, tags stream
	hasTags       bool // tags is in use

	marked   []int // offsets that are not returned yet
	returned int   // of marked
	frontier int   // from which on more may be marked

	matcher matcher // for the offsets that are returned
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
	s.isInTag, s.hasTags = false, false
	s.outside.reset(m, text)
	s.marked, s.returned, s.frontier = s.marked[:0], 0, 0
	s.matcher.reset(m, text)
	return s
}

func (s *scanner) free() {
	s.mask, s.text = nil, nil
	s.outside.text, s.tags.text = nil, nil
	s.matcher.reset(nil, nil)
	if cap(s.marked) > batch*blockSize {
		s.marked = nil
	}
	scannerPool.Put(s)
}

// Next returns the next offset, or the length of the text.
func (s *scanner) Next() int {
	for {
		if s.returned < len(s.marked) {
			p := s.marked[s.returned]
			if p > s.last {
				return len(s.text)
			}
			if p < s.frontier {
				s.returned++
				return p
			}
		}
		if s.next >= len(s.text) || s.last < 0 {
			return len(s.text)
		}
		s.scanBatch()
	}
}

// scanBatch marks the offsets in the next blocks.
func (s *scanner) scanBatch() {
	s.outside.carry()
	if s.hasTags {
		s.tags.carry()
	}

	s.begin = s.next
	blocks := s.text[s.next:]
	var end [blockSize]byte
	if s.count = min(len(blocks)/blockSize, batch); s.count > 0 {
		s.next += s.count * blockSize
	} else {
		s.next += copy(end[:], blocks)
		s.count, blocks = 1, end[:]
	}
	classify(&s.mask.filter.classes, blocks, s.classified[:s.count])
	if n := s.next - s.begin; n < blockSize {
		c := &s.classified[0]
		c.kept &= 1<<n - 1
		c.early &= 1<<n - 1
	}

	s.split()
	s.outside.scan(s.begin, blocks, s.count)
	if s.hasTags {
		s.tags.scan(s.begin, blocks, s.count)
	}
	s.collect()
}

// split tells the streams which bytes of the blocks are theirs.
func (s *scanner) split() {
	if s.mask.filter.skipsTags {
		s.isInTag = s.findTags(s.isInTag)
	} else {
		clear(s.inside[:s.count])
	}

	any := uint64(0)
	for n := range s.classified[:s.count] {
		c, inside := &s.classified[n], s.inside[n]
		any |= inside
		out, in := &s.outside.blocks[n], &s.tags.blocks[n]
		out.kept, out.early = c.kept&^inside, c.early&^inside
		in.kept, in.early = c.kept&inside, c.early&inside
	}
	if any != 0 && !s.hasTags {
		s.hasTags = true
		s.tags.reset(s.mask, s.text)
	}
}

// collect adds what the streams have marked to s.marked.
func (s *scanner) collect() {
	s.marked = append(s.marked[:0], s.marked[s.returned:]...)
	s.returned, s.frontier = 0, math.MaxInt

	isEnd := s.next == len(s.text)
	if s.hasTags {
		s.collectFrom(&s.tags, isEnd, !s.isInTag)
	}
	s.collectFrom(&s.outside, isEnd, false)
	if !slices.IsSorted(s.marked) {
		slices.Sort(s.marked)
	}
	s.hasTags = s.isInTag
}

// collectFrom adds what a stream has marked to s.marked. isDone tells that what it holds
// does not go on.
func (s *scanner) collectFrom(from *stream, isEnd, isDone bool) {
	limit := from.size
	if isEnd {
		from.checkEnd()
	} else if !isDone {
		var p int
		p, limit = from.frontier()
		s.frontier = min(s.frontier, p)
	}
	s.marked = from.appendMarked(s.marked, limit)
}
