package mask

import "unicode/utf8"

// look is what stands at a special byte, as far as it is known without undoing nested
// escapes. Its zero value is nothing that is among the first three units of a needle.
type look struct {
	isUnknown bool // it can be anything

	isUnit bool // one unit
	unit   rune
	end    int

	isSkipped bool // something that is skipped
	next      int  // what follows it
}

// unitLook returns a look at a unit. The matcher skips blanks after a line break.
func unitLook(unit rune, end int) look {
	return look{isUnit: true, unit: unit, end: end, isSkipped: unit == ' ' || unit == '\t', next: end}
}

var unknownLook = look{isUnknown: true}

// checkEarly marks the offsets at which a secret can begin, of whose first three bytes
// the squeezed one at offset i, which stands at p in the text, is the first early one. It
// returns at once for nearly all bytes that stand in pages, so that the matcher does not
// need to look at them.
func (s *stream) checkEarly(i, p int) {
	s.markAround(i, s.look(p))
	if c := s.text[p]; isIntroducer(rune(c)) && s.mask.filter.kinds[c] == earlyAny { // a unit of a needle as well
		s.markAround(i, unitLook(rune(c), p+1))
	}
}

// markAround marks the offsets of the two squeezed bytes before i, and i itself, at which a
// needle can begin if l stands at i.
func (s *stream) markAround(i int, l look) {
	m := s.mask
	if l.isUnit && l.unit >= utf8.RuneSelf && !m.filter.high[l.unit] {
		return
	}
	if !l.isUnit && !l.isSkipped && !l.isUnknown {
		return
	}

	if l.isUnknown || l.isUnit && s.canFollow(l.end, l.unit) {
		s.mark(i)
	}
	if s.isEarly(i - 1) {
		return
	}

	b := rune(s.bytes[i-1])
	if l.isUnknown && m.canBeginWith(b) || l.isUnit && m.canBeginWithTwo(b, l.unit) && s.canFollowTwo(l.end, b, l.unit) || l.isSkipped && s.canFollow(l.next, b) {
		s.mark(i - 1)
	}
	if s.isEarly(i-2) || !m.canBegin(s.bytes[i-2], s.bytes[i-1]) {
		return
	}

	a := rune(s.bytes[i-2])
	if l.isUnknown || l.isUnit && s.canBeThird(a, b, l.unit) || l.isSkipped && s.canFollowTwo(l.next, a, b) {
		s.mark(i - 2)
	}
}

// isDull reports whether the byte of a kind for which checkEarly is called is nothing
// that it looks at, other than what weigh finds.
func (s *stream) isDull(kind earlyKind, i, p int) bool {
	switch kind {
	case earlyTag:
		return !s.mask.filter.canTagFollow(s.bytes[i-2], s.bytes[i-1])
	case earlyEquals:
		return !isIntroducedByEquals(s.text, p+1)
	}
	return false
}

// nextPlain returns the byte that follows at p once others are dropped, and its end. It
// returns false if that is early, or a tag or the end of the text follows.
func (s *stream) nextPlain(p int) (c byte, end int, ok bool) {
	p = s.skipDropped(p)
	if p >= len(s.text) || s.text[p] == '<' || s.mask.filter.roles[s.text[p]] == roleEarly {
		return 0, p, false
	}
	return s.text[p], p + 1, true
}

// skipDropped returns the end of the dropped bytes that begin at p.
func (s *stream) skipDropped(p int) int {
	for p < len(s.text) && s.mask.filter.roles[s.text[p]] == roleDropped {
		p++
	}
	return p
}

// canFollow reports whether a needle can begin with a unit if it goes on at p.
func (s *stream) canFollow(p int, first rune) bool {
	next, end, ok := s.nextPlain(p)
	if !ok {
		return s.mask.canBeginWith(first)
	}
	return s.mask.canBeginWithTwo(first, rune(next)) && s.canFollowTwo(end, first, rune(next))
}

// canFollowTwo reports whether a needle that begins with two units can go on at p.
func (s *stream) canFollowTwo(p int, first, second rune) bool {
	next, end, ok := s.nextPlain(p)
	if ok || end >= len(s.text) || s.text[end] == '<' || s.mask.filter.kinds[s.text[end]] == earlyAny {
		return !ok || s.canBeThird(first, second, rune(next))
	}

	l := s.look(end)
	isDoubled := l.isUnit && l.unit == second
	if l.isUnknown || l.isSkipped || isDoubled || s.mask.filter.pairs[codeOf(first)]>>codeOf(second)&1 != 0 {
		return true
	}
	return l.isUnit && s.canBeThird(first, second, l.unit)
}

// canBeThird reports whether a needle that begins with two units can have the third.
func (s *stream) canBeThird(first, second, third rune) bool {
	return (first|second|third) >= utf8.RuneSelf || s.mask.filter.hasHead(byte(first), byte(second), byte(third))
}

// look looks at the early byte at p.
func (s *stream) look(p int) look {
	c := s.text[p]
	kind := s.mask.filter.kinds[c]
	if kind == earlyLiteral {
		return unitLook(folded[c], p+1)
	}
	if kind == earlyTag {
		return s.lookTag(p)
	}
	if kind == earlyAny && isIntroducer(rune(c)) {
		kind = earlyKind(codes[c] - codePercent)
	}
	if kind == earlyAny || p+1 >= len(s.text) {
		return unknownLook
	}

	switch kind {
	case earlyPercent, earlyEquals:
		return s.lookHex(p)
	case earlyAmpersand:
		return s.lookReference(p)
	case earlyBackslash:
		return s.lookBackslash(p)
	default:
		return s.lookHigh(p)
	}
}

// lookTag looks at what may be the beginning of tags.
func (s *stream) lookTag(p int) look {
	for range maxSkipped {
		end, open := tagAt(s.text, p)
		if open {
			return unknownLook
		}
		if end == 0 {
			return look{}
		}
		p = s.skipDropped(end)
		if p >= len(s.text) || s.text[p] != '<' {
			return look{isSkipped: true, next: p}
		}
	}
	return unknownLook
}

// opensEscape reports whether the introducer at p can begin an escape.
func opensEscape(text []byte, p int) bool {
	if text[p] == '=' {
		return isIntroducedByEquals(text, p+1)
	}
	return mayFollow[codes[text[p]]-codePercent][codes[text[p+1]]]
}

// lookHex looks at what is introduced by a percent or equals sign.
func (s *stream) lookHex(p int) look {
	text := s.text
	if !opensEscape(text, p) {
		return look{}
	}
	if v, ok := plainHex(text, p+1, 2); ok && v < utf8.RuneSelf {
		return lookOf(v, p+3)
	}
	return unknownLook
}

// plainHex returns the value of the hex digits at p. ok is false if fewer than digits
// of them stand there without an escape.
func plainHex(text []byte, p, digits int) (value rune, ok bool) {
	if p+digits > len(text) {
		return 0, false
	}
	for _, c := range text[p : p+digits] {
		if !isHexDigit(rune(c)) {
			return 0, false
		}
		value = value<<4 | digitValue(rune(c))
	}
	return value, true
}

// lookOf returns a look at a code point that an escape stands for.
func lookOf(r rune, end int) look {
	switch {
	case r == '+' || isIntroducer(r) || 0xD800 <= r && r < 0xE000:
		return unknownLook
	case skipOf(r) == skipBreak:
		return unknownLook
	}
	return unitLook(fold(r), end)
}

// lookReference looks at an ampersand.
func (s *stream) lookReference(p int) look {
	text := s.text
	if !opensEscape(text, p) {
		return look{}
	}
	if r, end, ok := plainReference(text, p); ok {
		if r == '+' || skipOf(r) == skipBreak {
			return unknownLook
		}
		return unitLook(r, end)
	}
	if isPlainName(text, p+1) {
		return look{}
	}
	return unknownLook
}

// lookBackslash looks at a backslash.
func (s *stream) lookBackslash(p int) look {
	text := s.text
	c := text[p+1]
	switch {
	case c == 'n' || c == 'r' || c == 't' || c == 'v':
		if l := &s.mask.filter.literals; l['\n'] || l['\r'] || l['\t'] {
			return unknownLook
		}
		return look{isUnit: true, unit: rune(c), end: p + 2, isSkipped: true, next: p + 2}
	case c == 'u':
		if v, ok := plainHex(text, p+2, 4); ok {
			return lookOf(v, p+6)
		}
	case c == 'x':
		if v, ok := plainHex(text, p+2, 2); ok && v < utf8.RuneSelf {
			return lookOf(v, p+4)
		}
	case c == 'U' || c == 'X' || isHexDigit(rune(c)) || codes[c] == codeBreak:
	default:
		return lookOf(rune(c), p+2)
	}
	return unknownLook
}

// lookHigh looks at a byte that is not ASCII, for needles that have no such units.
func (s *stream) lookHigh(p int) look {
	if isSkippedOrFolded(s.text[p], s.text[p+1]) {
		return unknownLook
	}
	return look{}
}

// isSkippedOrFolded reports whether two bytes may begin a code point that is skipped or
// folds to ASCII.
func isSkippedOrFolded(a, b byte) bool {
	switch a {
	case 0xC2:
		return b == 0xAD
	case 0xC5:
		return b == 0xBF
	case 0xE2:
		return b == 0x80 || b == 0x81 || b == 0x84
	case 0xEF:
		return b == 0xBB
	}
	return false
}
