package mask

import "math/bits"

// findTags sets s.inside to the bytes of the classified blocks that belong to tags. wasOpen
// tells whether the text before the blocks ends inside a tag; isOpen tells the same of
// the blocks.
//
// A tag ends at the next bracket, if that is a closing one. Other opening brackets are text
// that no secret goes across, and so is what is longer than the tags that the matcher skips;
// it does not matter on which side of them that is.
func (s *scanner) findTags(wasOpen bool) (isOpen bool) {
	open := uint64(0) // 1 if a tag is open
	if wasOpen {
		open = 1
	}
	for n := range s.classified[:s.count] {
		c := &s.classified[n]
		brackets := c.less | c.greater
		if brackets == 0 {
			s.inside[n] = -open
			continue
		}

		// A carry runs from each beginning to the next bracket.
		others := ^brackets
		begins := c.less<<1 | open
		inside := (others + begins&others) ^ others | begins

		open = 0
		if c.less > c.greater { // the last one opens
			last := 63 - bits.LeadingZeros64(c.less)
			if s.isClosed(n, last) {
				open = 1
			} else {
				inside &= 1<<last<<1 - 1
			}
		}
		for again := inside & c.less; again != 0; again &= again - 1 {
			end := again & -again
			begin := c.less & (end - 1)
			inside &^= (end<<1 - 1) &^ (1<<bits.Len64(begin) - 1)
		}
		s.inside[n] = inside | c.less&(inside>>1|open<<63)
	}
	return open != 0
}

// isClosed reports whether a tag that opens at byte last of block n, after which there is
// no bracket in it, is closed by the next one, or may be closed after the end of the text.
func (s *scanner) isClosed(n, last int) bool {
	for i := range s.classified[n+1 : s.count] {
		c := &s.classified[n+1+i]
		brackets := c.less | c.greater
		if brackets != 0 {
			return c.greater&-c.greater == brackets&-brackets
		}
	}
	end, isOpen := tagAt(s.text, s.begin+n*blockSize+last)
	return end > 0 || isOpen
}
