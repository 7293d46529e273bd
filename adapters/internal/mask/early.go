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

func unitLook(unit rune, end int) look { return look{isUnit: true, unit: unit, end: end} }
func skippedLook(next int) look        { return look{isSkipped: true, next: next} }

var unknownLook = look{isUnknown: true}

// checkEarly marks the offsets at which a secret can begin, of whose first three bytes
// that at q is the first special one. It returns at once for nearly all bytes that stand
// in pages, so that the matcher does not need to look at them.
func (s *scanner) checkEarly(q int) {
	m, text := s.mask, s.text
	l := s.look(q)
	if !l.isUnit && !l.isSkipped && !l.isUnknown {
		return
	}

	if l.isUnknown || l.isUnit && s.canFollow(l.end, l.unit) {
		s.mark(q)
	}
	if q == 0 || !s.isPlain(q-1) {
		return
	}

	b := rune(text[q-1])
	if l.isUnknown && m.canBeginWith(b) || l.isUnit && m.canBeginWithTwo(b, l.unit) && s.canFollowTwo(l.end, b, l.unit) || l.isSkipped && s.canFollow(l.next, b) {
		s.mark(q - 1)
	}
	if q == 1 || !s.isPlain(q-2) || !m.canBegin(text[q-2], text[q-1]) {
		return
	}

	a := rune(text[q-2])
	if l.isUnknown || l.isUnit && s.canBeThird(a, b, l.unit) || l.isSkipped && s.canFollowTwo(l.next, a, b) {
		s.mark(q - 2)
	}
}

func (s *scanner) isPlain(p int) bool { return !s.mask.filter.class.special.has(s.text[p]) }

// canFollow reports whether a needle can begin with a unit if it goes on at p.
func (s *scanner) canFollow(p int, first rune) bool {
	if p >= len(s.text) || !s.isPlain(p) {
		return s.mask.canBeginWith(first)
	}
	next := rune(s.text[p])
	return s.mask.canBeginWithTwo(first, next) && s.canFollowTwo(p+1, first, next)
}

// canFollowTwo reports whether a needle that begins with two units can go on at p.
func (s *scanner) canFollowTwo(p int, first, second rune) bool {
	return p >= len(s.text) || !s.isPlain(p) || s.canBeThird(first, second, rune(s.text[p]))
}

// canBeThird reports whether a needle that begins with two units can have the third.
func (s *scanner) canBeThird(first, second, third rune) bool {
	return (first|second|third) >= utf8.RuneSelf || s.mask.filter.hasHead(byte(first), byte(second), byte(third))
}

// look looks at the early byte at p.
func (s *scanner) look(p int) look {
	f, text := &s.mask.filter, s.text
	c := text[p]
	if c == '=' && p+1 < len(text) && !f.literals['='] && !afterEquals[text[p+1]] {
		return look{} // as between a name and its value
	}
	if f.kinds[c] == earlyLiteral {
		return unitLook(folded[c], p+1)
	}
	if f.literals[c] {
		return unknownLook
	}
	if p+1 >= len(text) {
		return unknownLook
	}

	switch c {
	case '\r', '\n', 0:
		if !f.literals[' '] && !f.literals['\t'] {
			return skippedLook(s.afterBreaks(p + 1))
		}
	case '%', '=':
		return s.lookHex(p)
	case '&':
		return s.lookReference(p)
	case '\\':
		return s.lookBackslash(p)
	default:
		return s.lookHigh(p)
	}
	return unknownLook
}

// afterEquals tells which bytes can follow an equals sign that begins an escape.
var afterEquals = func() (table [256]bool) {
	for c := range table {
		table[c] = mayFollow[codeEquals-codePercent][codes[c]]
	}
	return table
}()

// afterBreaks returns the end of the line breaks and blanks that begin at p.
func (s *scanner) afterBreaks(p int) int {
	for p < len(s.text) && (codes[s.text[p]] == codeBreak || s.text[p] == ' ' || s.text[p] == '\t') {
		p++
	}
	return p
}

// lookHex looks at what is introduced by a percent or equals sign.
func (s *scanner) lookHex(p int) look {
	text := s.text
	if text[p] == '=' && !isIntroducedByEquals(text, p+1) || !mayFollow[codes[text[p]]-codePercent][codes[text[p+1]]] {
		return look{}
	}
	if v, ok := plainHex(text, p+1, 2); ok && v < utf8.RuneSelf {
		return lookOf(v, p+3)
	}
	return unknownLook
}

// plainHex returns the value of so many hex digits at p, if they stand there as they
// are.
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
func (s *scanner) lookReference(p int) look {
	text := s.text
	if !mayFollow[codeEntity-codePercent][codes[text[p+1]]] {
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
func (s *scanner) lookBackslash(p int) look {
	text := s.text
	c := text[p+1]
	switch {
	case c == 'n' || c == 'r':
		if s.mask.filter.literals[' '] {
			return unknownLook
		}
		return look{isUnit: true, unit: rune(c), end: p + 2, isSkipped: true, next: s.afterBreaks(p + 2)}
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

// lookHigh looks at a byte that is not ASCII.
func (s *scanner) lookHigh(p int) look {
	f, c := &s.mask.filter, s.text[p]
	if len(f.high) == 0 && c >= 0xC0 && !isSkippedOrFolded(c, s.text[p+1]) {
		return look{}
	}
	if skipOf(rune(c)) == skipBreak && len(f.high) == 0 {
		return skippedLook(p + 1)
	}

	r, n := utf8.DecodeRune(s.text[p:])
	if r == utf8.RuneError && !utf8.FullRune(s.text[p:]) {
		return unknownLook
	}
	r = fold(r)
	if n > 1 && (r < utf8.RuneSelf || skipOf(r) == skipBreak || f.high[r]) || skipOf(rune(c)) == skipBreak || f.high[folded[c]] {
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
