package mask

import "unicode/utf8"

// earlyKind is what an early byte can be.
type earlyKind uint8

const (
	earlyPercent earlyKind = iota // these four in the order of their codes
	earlyEquals
	earlyAmpersand
	earlyBackslash
	earlyLead    // begins a code point that is skipped or folds to ASCII
	earlyLiteral // is a unit of a needle as it is, and nothing else
	earlyTag     // begins a tag, or is not among the first three units
	earlyAny
)

func (f *filter) setKinds(needles []needle) {
	for c := range 256 {
		f.kinds[c] = f.kindOf(byte(c), needles)
		f.beforeKinds[c] = ^uint8(1<<earlyLiteral | 1<<earlyTag)
		f.afterKinds[c] = 1<<earlyBackslash | 1<<earlyTag | 1<<earlyAny
		for i := earlyPercent; i < earlyBackslash; i++ {
			if mayFollow[i][codes[c]] {
				f.afterKinds[c] |= 1 << i
			}
		}
		switch c {
		case 0x80, 0x81, 0x84, 0xAD, 0xBB, 0xBF:
			f.afterKinds[c] |= 1 << earlyLead
		}
	}
	for i := range needles {
		f.setNeighbours(&needles[i])
	}

	f.setInert(needles)
	for c := range utf8.RuneSelf {
		f.dull[c] = isDullAfterBackslash(rune(c))
	}
	for i := range needles {
		for _, unit := range needles[i].units[:3] {
			if unit < utf8.RuneSelf {
				f.dull[unit] = false
			}
		}
	}
}

// isDullAfterBackslash reports whether a backslash before c means c.
func isDullAfterBackslash(c rune) bool {
	switch {
	case isAlphanumeric(c), c == '%', c == '=', c == '\\', c == '+', c == ' ', c == '\t':
		return false
	}
	return skipOf(c) != skipBreak
}

func (f *filter) kindOf(c byte, needles []needle) earlyKind {
	isUnit := false
	for i := range needles {
		for _, unit := range needles[i].units[:3] {
			isUnit = isUnit || unit == rune(c)
		}
	}

	switch {
	case c >= utf8.RuneSelf:
		if len(f.high) > 0 || c == 0xA0 || c == 0xAD {
			return earlyAny // in Latin-1 the two are a blank and a soft hyphen, which may be skipped
		}
		return earlyLead
	case c == '<' && isUnit:
		return earlyAny
	case c == '<', isQuote(rune(c)) && !isUnit:
		return earlyTag
	case isIntroducer(rune(c)) && !isUnit:
		return earlyKind(codes[c] - codePercent)
	case isIntroducer(rune(c)), c == ' ', c == '\t', c == '+', skipOf(rune(c)) == skipBreak:
		return earlyAny // blanks may be skipped, after a line break
	}
	return earlyLiteral
}

// setNeighbours sets what can stand before and after literals that are among the first
// three units of a needle, and before a tag there.
func (f *filter) setNeighbours(n *needle) {
	units := n.units
	if n.tagFrom < 2 {
		for c := range 256 {
			f.tagFirsts[c] = f.tagFirsts[c] || folded[c] == units[0]
			if folded[c] == units[0] || folded[c] == units[1] {
				f.beforeKinds[c] |= 1 << earlyTag
			}
		}
		f.tagPairs[codeOf(units[0])] |= 1 << codeOf(units[1])
	}
	for k, unit := range units[:3] {
		if unit >= utf8.RuneSelf || !f.isEarly(unit) || f.kinds[unit] != earlyLiteral {
			continue
		}
		for c := range 256 {
			any := f.roles[c] != rolePlain || c == '<'
			if any || k == 0 || folded[c] == units[k-1] {
				f.beforeKinds[c] |= 1 << earlyLiteral
			}
			if any || k == 2 || folded[c] == units[k+1] {
				f.afterKinds[c] |= 1 << earlyLiteral
			}
		}
	}
}

// setInert finds what no needle goes across.
func (f *filter) setInert(needles []needle) {
	var isUnit [utf8.RuneSelf]bool
	hasHigh := false
	for i := range needles {
		for _, unit := range needles[i].units {
			if unit < utf8.RuneSelf {
				isUnit[unit] = true
			} else {
				hasHigh = true
			}
		}
	}

	for c := range utf8.RuneSelf {
		isNothing := !isUnit[fold(rune(c))] && skipOf(rune(c)) == skipNone && c != '+'
		f.inertNames[c] = isNothing && !isUnit['&'] && (c == '&' || !isIntroducer(rune(c)))
		f.inertEscapes[c] = isNothing && !isUnit['\\'] && isDullAfterBackslash(rune(c)) && c != '&'
	}
	// Names such as &ltimes; begin with one that needs no semicolon.
	f.inertHigh = !hasHigh && f.inertNames['&'] && f.inertNames['<'] && f.inertNames['>'] && f.inertNames['"']
}

// weight says how much is to be looked at an early byte.
type weight uint8

const (
	unknown weight = iota
	dull           // no needle has what stands there among its first three units
	inert          // no needle goes across it
)

// weigh weighs the byte of a kind at p, which is not the last one of the text, for what
// pages and documents are full of.
func (f *filter) weigh(kind earlyKind, text []byte, p int) weight {
	switch kind {
	case earlyBackslash:
		c := text[p+1]
		switch {
		case c >= utf8.RuneSelf:
			return unknown
		case f.inertEscapes[c]:
			return inert
		case c != '&' && f.dull[c]:
			return dull
		}
	case earlyAmpersand:
		r, end, ok := referenceAt(text, p+1)
		if !ok || r == '&' {
			if !ok {
				r, end = '&', p+1
			}
			switch {
			case !isPlainName(text, end):
				return unknown
			case f.inertNames['&']:
				return inert
			}
			return dull // the kind tells that it is not among the first three units
		}
		return f.weighName(r)
	}
	return unknown
}

// weighName weighs a reference by name, which is not an ampersand's.
func (f *filter) weighName(r rune) weight {
	if r < utf8.RuneSelf {
		switch {
		case f.inertNames[r]:
			return inert
		case f.dull[r]:
			return dull
		}
		return unknown
	}

	skip := skipOf(r)
	switch {
	case skip == skipBreak, len(f.high) > 0, r == '\u017f', r == '\u212a':
		return unknown
	case skip == skipNone && f.inertHigh:
		return inert
	}
	return dull
}
