package mask

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// filter tells cheaply at which offsets a secret can begin. It passes too many offsets,
// never too few.
//
// A byte is special if, in a text in which a needle is found, it can be anything other
// than a unit as it is: the beginning of an escape, or of something that is skipped. The
// first special byte of a match lies at one of these places:
//
//   - after the first reach bytes. These are plain, and so is one of any four bytes in a
//     row that are looked at every stride bytes: grams of the kind gramRun.
//   - after the third byte: the three before it are a gram of the kind gramBefore.
//   - among the first three bytes. It is one that can stand there, which is called early,
//     and scanner.checkEarly looks at it.
//
// All of them lie within reach bytes of the beginning of the match.
type filter struct {
	grams [1 << gramBits / 64]uint64 // a bit for each gram, at its hash
	reach int                        // in bytes

	class    classes
	literals [256]bool     // special bytes that are units of a needle, as they are, among its first three
	high     map[rune]bool // units outside of ASCII, likewise

	// An early byte is looked at if the bit of its kind is set for the byte before and
	// the one after it.
	kinds                   [256]earlyKind
	beforeKinds, afterKinds [256]uint8
}

// classes are the two sets of bytes that the filter looks for.
type classes struct {
	special, early byteSet
}

const (
	// mostReach is the reach of a filter unless a needle of plain bytes is shorter. None
	// has fewer than minSecret.
	mostReach = 10

	// gramSize is the number of bytes that are looked at every stride bytes.
	gramSize = 4
)

// gramKind says which bytes a gram consists of. All of its bytes are plain but for those
// of a gramHead, which may be literals.
type gramKind uint8

const (
	gramRun    gramKind = iota // four bytes within the first reach ones
	gramBefore                 // three bytes before the first special one, or two and any other before them
	gramHead                   // the first three bytes
	gramAcross                 // two bytes before a separator, or before a unit that is one, and the byte after it
)

// init makes f the filter for needles.
func (f *filter) init(needles []needle) {
	f.reach, f.class, f.high = mostReach, newClasses(needles), map[rune]bool{}
	for i := range needles {
		if f.class.isPlain(needles[i].units) {
			f.reach = min(f.reach, len(needles[i].units))
		}
	}

	c := gramCollector{f}
	for i := range needles {
		c.addNeedle(&needles[i])
	}
	f.setKinds(needles)
}

// earlyKind is what an early byte can be.
type earlyKind uint8

const (
	earlyPercent earlyKind = iota // these four in the order of their codes
	earlyEquals
	earlyAmpersand
	earlyBackslash
	earlySkipped // is skipped, so that a unit must stand before it
	earlyLead    // of a code point that is skipped or folds to ASCII
	earlyLiteral // is a unit of a needle as it is, and nothing else
	earlyAny
)

func (f *filter) setKinds(needles []needle) {
	for c := range 256 {
		f.kinds[c] = f.kindOf(byte(c))
		f.beforeKinds[c] = ^uint8(1 << earlySkipped)
		f.beforeKinds[c] &^= 1 << earlyLiteral
		f.afterKinds[c] = 1<<earlyBackslash | 1<<earlySkipped | 1<<earlyAny
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
		f.setNeighbours(needles[i].units)
	}
}

// setNeighbours sets what can stand before what is skipped among the first three units
// of a needle, and before and after literals.
func (f *filter) setNeighbours(units []rune) {
	for _, unit := range units[:2] {
		f.setKind(&f.beforeKinds, earlySkipped, func(c byte) bool { return folded[c] == unit })
	}
	for k, unit := range units[:3] {
		if unit >= utf8.RuneSelf || f.kinds[unit] != earlyLiteral {
			continue
		}
		f.setKind(&f.beforeKinds, earlyLiteral, func(c byte) bool {
			return k == 0 || f.class.special.has(c) || folded[c] == units[k-1]
		})
		f.setKind(&f.afterKinds, earlyLiteral, func(c byte) bool {
			return k == 2 || f.class.special.has(c) || folded[c] == units[k+1]
		})
	}
}

func (f *filter) setKind(table *[256]uint8, kind earlyKind, fits func(byte) bool) {
	for c := range 256 {
		if fits(byte(c)) {
			table[c] |= 1 << kind
		}
	}
}

func (f *filter) kindOf(c byte) earlyKind {
	switch {
	case f.literals[c]:
		if c == '+' || c >= utf8.RuneSelf || isIntroducer(rune(c)) || skipOf(rune(c)) == skipBreak {
			return earlyAny
		}
		return earlyLiteral
	case c >= utf8.RuneSelf && len(f.high) > 0:
		return earlyAny
	case isIntroducer(rune(c)):
		return earlyKind(codes[c] - codePercent)
	case skipOf(rune(c)) == skipBreak:
		return earlySkipped
	case c >= utf8.RuneSelf:
		return earlyLead
	}
	return earlyAny
}

func (f *filter) stride() int { return f.reach - gramSize + 1 }

const (
	gramBits = 18

	gramMultiplier = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio

	foldedBits = 0x20202020 // fold the case of letters, and make some other bytes equal
)

// hashGram returns the number of a gram's bit. The first byte of a gram is the lowest
// one. One of three bytes has any byte before them.
func hashGram(kind gramKind, gram uint32) uint64 {
	gram |= foldedBits
	if kind != gramRun {
		gram &^= 0xFF
	}
	return (uint64(kind)<<32 | uint64(gram)) * gramMultiplier >> (64 - gramBits)
}

// has reports whether a needle has the gram.
func (f *filter) has(kind gramKind, gram uint32) bool { return f.bit(kind, gram)&1 != 0 }

// bit returns a number whose lowest bit says whether a needle has the gram.
func (f *filter) bit(kind gramKind, gram uint32) uint64 {
	at := hashGram(kind, gram)
	return f.grams[at>>6] >> (at & 63)
}

// hasHead reports whether a needle can begin with three plain bytes.
func (f *filter) hasHead(a, b, c byte) bool {
	return f.has(gramHead, uint32(a)<<8|uint32(b)<<16|uint32(c)<<24)
}

// newClasses returns which bytes are special, and early, in the text for needles.
func newClasses(needles []needle) (c classes) {
	for _, b := range []byte("%&=\\\r\n\x00\u00ad") { // introducers, line breaks, and a soft hyphen's bytes
		c.early.add(b)
	}
	for _, r := range "\u017f\u200b\u212a\ufeff" { // letters that fold to ASCII, and characters of no width
		c.early.add(utf8.AppendRune(nil, r)[0])
	}
	for _, b := range []byte(" \t+-.,:_<\u00a0") { // what separates groups
		c.special.add(b)
	}

	for i := range needles {
		units := needles[i].units
		for k, unit := range units[:min(len(units), mostReach)] {
			switch {
			case unit >= utf8.RuneSelf:
				c.addHigh(unit)
			case k < 3 && c.special.has(byte(unit)):
				c.early.add(byte(unit))
				if unit == ' ' {
					c.early.add('+')
				}
			}
		}
	}
	for b := range 256 {
		if c.early.has(byte(b)) {
			c.special.add(byte(b))
		}
	}
	return c
}

// isPlain reports whether none of the units is special as it is.
func (c *classes) isPlain(units []rune) bool {
	return !slices.ContainsFunc(units, func(r rune) bool { return r >= utf8.RuneSelf || c.special.has(byte(r)) })
}

// addHigh adds the bytes that a unit outside of ASCII can begin with.
func (c *classes) addHigh(unit rune) {
	for r := unit; ; {
		c.early.add(utf8.AppendRune(nil, r)[0])
		if r < 256 {
			c.early.add(byte(r))
		}
		r = unicode.SimpleFold(r)
		if r == unit {
			return
		}
	}
}

// gramCollector adds the grams of needles to a filter.
type gramCollector struct{ filter *filter }

func (c gramCollector) add(kind gramKind, gram uint32) {
	at := hashGram(kind, gram)
	c.filter.grams[at>>6] |= 1 << (at & 63)
}

func (c gramCollector) addNeedle(n *needle) {
	for _, unit := range n.units[:3] {
		switch {
		case unit >= utf8.RuneSelf:
			c.filter.high[unit] = true
		case c.filter.class.special.has(byte(unit)):
			c.filter.literals[unit] = true
			if unit == ' ' {
				c.filter.literals['+'] = true
			}
		}
	}

	c.addHeads(n, 0, nil)
	for k := 2; k < min(c.filter.reach, len(n.units)); k++ {
		c.addAcross(n.units[k-2], n.units[k-1], n.units[k])
		if k+1 < len(n.units) {
			c.addAcross(n.units[k-2], n.units[k-1], n.units[k+1])
		}
	}
	for start := range c.filter.reach - 3 {
		if start >= len(n.units) {
			break
		}
		c.addRuns(n, start, nil)
		if hasPrefixes(n) && start >= 2 {
			c.addRuns(n, start, []byte{'x'})
		}
	}
	if n.groupFrom > 2 {
		return
	}
	for before := range 256 {
		c.add(gramBefore, gramOf([]byte{byte(before), byte(n.units[0]), byte(n.units[1])}))
	}
}

// hasPrefixes reports whether the matcher skips 0x between units of the needle.
func hasPrefixes(n *needle) bool { return n.groupFrom == 2 }

// addHeads adds the spellings of the first three units as they are.
func (c gramCollector) addHeads(n *needle, k int, raw []byte) {
	if len(raw) == 3 {
		c.add(gramHead, gramOf(raw))
		return
	}
	unit := n.units[k]
	if unit >= utf8.RuneSelf {
		return
	}
	raw = raw[:len(raw):len(raw)]
	c.addHeads(n, k+1, append(raw, byte(unit)))
	if unit == ' ' {
		c.addHeads(n, k+1, append(raw, '+'))
	}
	if k == 2 && hasPrefixes(n) {
		c.addHeads(n, k, append(raw, '0'))
	}
}

// addAcross adds units of which the third stands after a separator.
func (c gramCollector) addAcross(first, second, third rune) {
	if first|second|third < utf8.RuneSelf {
		c.add(gramAcross, gramAcrossOf(byte(first), byte(second), byte(third)))
	}
}

func gramAcrossOf(first, second, third byte) uint32 {
	return uint32(first)<<8 | uint32(second)<<16 | uint32(third)<<24
}

// addRuns adds the plain bytes that unit k of the needle and those after it can follow
// raw as.
func (c gramCollector) addRuns(n *needle, k int, raw []byte) {
	raw = raw[:len(raw):len(raw)]
	if len(raw) == gramSize {
		c.add(gramRun, gramOf(raw))
		return
	}
	if len(raw) == gramSize-1 {
		c.add(gramBefore, gramOf(raw))
	}

	if hasPrefixes(n) && k >= 2 {
		if len(raw) == gramSize-1 {
			c.addRuns(n, k, append(raw, '0'))
		} else if len(raw) < 2 || raw[len(raw)-1] != 'x' {
			c.addRuns(n, k, append(raw, '0', 'x'))
		}
	}
	if k == len(n.units) || !c.filter.class.isPlain(n.units[k:k+1]) {
		return
	}
	c.addRuns(n, k+1, append(raw, byte(n.units[k])))
}

// gramOf returns bytes as a gram.
func gramOf(raw []byte) (gram uint32) {
	for i, b := range raw {
		gram |= uint32(b) << (8 * (i + 4 - len(raw)))
	}
	return gram
}
