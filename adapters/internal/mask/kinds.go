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
		if len(f.high) > 0 {
			return earlyAny
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

// isInert reports whether the byte of a kind at p, which is not the last one of the text,
// begins an escape that no needle goes across, or nothing. Pages and documents are full of those.
func (f *filter) isInert(kind earlyKind, text []byte, p int) bool {
	switch kind {
	case earlyBackslash:
		c := text[p+1]
		return c < utf8.RuneSelf && f.inertEscapes[c]
	case earlyAmpersand:
		r, end, ok := referenceAt(text, p+1)
		switch {
		case !ok:
			return f.inertNames['&'] && isPlainName(text, p+1)
		case r == '&':
			return f.inertNames['&'] && isPlainName(text, end)
		case r >= utf8.RuneSelf:
			return f.inertHigh && skipOf(r) == skipNone && r != '\u017f' && r != '\u212a'
		}
		return f.inertNames[r]
	}
	return false
}
