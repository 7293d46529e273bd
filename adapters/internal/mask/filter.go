package mask

import (
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"
)

// filter tells cheaply at which offsets a secret can begin. It passes too many offsets,
// never too few.
//
// It looks at a text without line breaks and separators of groups: these are dropped,
// because the matcher skips them (see classes). In what is left, a byte is early if it
// can be anything other than a unit as it is, such as the beginning of an escape. The
// first early byte of a match stands at one of these places:
//
//   - after the first reach bytes. These are plain, and so is one of any four bytes in a
//     row that are looked at every stride bytes: a gram of the kind gramRun.
//   - after the third byte: the three before it are a gram of the kind gramBefore.
//   - among the first three bytes: scanner.checkEarly looks at it.
//
// All of them lie within reach bytes of the beginning of the match. If no needle has a
// bracket, this is so for the text without its tags, and for each tag. Separators that are
// among the first three units of a needle are not dropped; they are early, and called
// literals.
type filter struct {
	grams gramTable
	reach int // in bytes

	// pairs has a bit for the codes of each two units after which a needle can have a
	// separator.
	pairs [64]uint64

	// tagFirsts and tagPairs are the bytes, and the codes of two, that a needle can
	// begin with and go on after a tag. They count if skipsTags is false.
	tagFirsts [256]bool
	tagPairs  [64]uint64

	// skipsTags reports that no needle has a bracket, so that tags can be dropped, and no
	// secret begins in one and ends outside. Otherwise brackets are early.
	skipsTags bool

	// hasPlainEquals reports that an equals sign is early only if it can begin an escape,
	// because it is not among the first three units of a needle. The role is early.
	hasPlainEquals bool

	classes  classes
	roles    [256]role
	literals [128]bool
	high     map[rune]bool // units outside of ASCII among the first three of a needle

	// An early byte can be among the first three units of a needle only if the bit of
	// its kind is set for the byte before it and for the one after it.
	kinds                   [256]earlyKind
	beforeKinds, afterKinds [256]uint8

	// No needle goes across a reference by name for a byte of inertNames, nor across a
	// backslash before one of inertEscapes. inertHigh tells the former of what is not ASCII.
	inertNames, inertEscapes [128]bool
	inertHigh                bool

	// dull bytes are nothing but themselves after a backslash, if they are no ampersand,
	// and are not among the first three units of a needle.
	dull [256]bool
}

const (
	// mostReach is the reach of a filter unless a needle of plain bytes is shorter.
	mostReach = 12

	// leastReach is how many units of a needle must be left if what can be dropped is.
	leastReach = 6

	// gramSize is the number of bytes that are looked at every stride bytes.
	gramSize = 4
)

// role says what a byte is to the filter.
type role uint8

const (
	rolePlain role = iota
	roleDropped
	roleEarly
)

// droppable is what can be dropped: line breaks and separators of groups, all of one
// byte. A plus sign is a blank in a query.
const droppable = " \t+-.,:_\r\n\x00\xa0\xad"

// gramKind says which bytes a gram consists of.
type gramKind uint8

const (
	gramRun    gramKind = iota // four plain bytes within the first reach ones
	gramBefore                 // three plain bytes before the first early one
	gramHead                   // the first three bytes, as they are
)

// init makes f the filter for needles.
func (f *filter) init(needles []needle) {
	f.setLiterals(needles)
	f.setClasses(needles)

	f.reach = mostReach
	for i := range needles {
		lead := f.leadOf(&needles[i])
		if !slices.ContainsFunc(lead, f.isEarly) {
			f.reach = min(f.reach, len(lead))
		}
	}
	for i := range needles {
		f.addNeedle(&needles[i])
	}
	f.setKinds(needles)
}

func (f *filter) stride() int { return f.reach - gramSize + 1 }

func isDroppable(unit rune) bool {
	for i := range len(droppable) {
		if rune(droppable[i]) == unit {
			return unit < utf8.RuneSelf
		}
	}
	return false
}

// setLiterals finds the separators that must not be dropped: those among the first
// three units of a needle, and those of needles of little else.
func (f *filter) setLiterals(needles []needle) {
	for i := range needles {
		units := needles[i].units[:needles[i].certain()]
		rest := 0
		for _, unit := range units {
			if !isDroppable(unit) {
				rest++
			}
		}
		if rest >= leastReach || rest == len(units) {
			units = units[:3]
		}
		for _, unit := range units {
			if isDroppable(unit) {
				f.literals[unit] = true
			}
		}
	}
	for _, unit := range " \t" {
		if f.literals[unit] { // a plus sign can stand for a blank
			f.literals[' '], f.literals['\t'], f.literals['+'] = true, true, true
		}
	}
}

// certain returns how many units of the needle stand in a text in any case if it is
// found there, unless the text ends.
func (n *needle) certain() int { return min(len(n.units), n.prefix) }

func (f *filter) setClasses(needles []needle) {
	c := &f.classes
	for _, b := range []byte("%&=\\") {
		c.early.add(b)
	}
	f.skipsTags = !slices.ContainsFunc(needles, func(n needle) bool { return slices.ContainsFunc(n.units, isBracket) })
	if !f.skipsTags {
		c.early.add('<')
	}
	for _, r := range "\u00ad\u017f\u200b\u212a\ufeff" { // letters that fold to ASCII, and characters of no width
		c.early.add(utf8.AppendRune(nil, r)[0])
	}
	for b := range f.literals {
		if f.literals[b] {
			c.early.add(byte(b))
		}
	}
	f.high = map[rune]bool{}
	for i := range needles {
		for k, unit := range needles[i].units {
			if unit >= utf8.RuneSelf {
				c.addHigh(unit)
				if k < 3 {
					f.high[unit] = true
				}
			}
			if isQuote(unit) { // it may be doubled
				c.early.add(byte(unit))
			}
		}
	}
	for _, b := range []byte(droppable) {
		if !c.early.has(b) {
			c.dropped.add(b)
		}
	}

	for b := range f.roles {
		switch {
		case c.early.has(byte(b)):
			f.roles[b] = roleEarly
		case c.dropped.has(byte(b)):
			f.roles[b] = roleDropped
		}
	}

	for b := range c.opener {
		c.opener[b] = '='
	}
	for b := range 256 {
		if isHexCode(codes[b]) {
			c.digits.add(byte(b))
		}
		if codes[b] == codeBlank || codes[b] >= codePercent && codes[b] <= codeHigh {
			c.stop.add(byte(b))
		}
	}
	f.hasPlainEquals = !slices.ContainsFunc(needles, func(n needle) bool { return slices.Contains(n.units[:3], '=') })
	if !f.hasPlainEquals {
		c.setNoOpener()
	}
	c.init()
}

func isBracket(unit rune) bool { return unit == '<' || unit == '>' }

// setNoOpener makes classify tell every early byte.
func (c *classes) setNoOpener() {
	for b := range c.opener {
		c.opener[b] = 'a'
	}
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

// isEarly reports whether a unit is early as it is, whatever follows it.
func (f *filter) isEarly(unit rune) bool {
	if unit == '=' && f.hasPlainEquals {
		return false
	}
	return unit >= utf8.RuneSelf || f.roles[unit] == roleEarly
}

func (f *filter) isDropped(unit rune) bool {
	return unit < utf8.RuneSelf && f.roles[unit] == roleDropped
}

// leadOf returns the first units of a needle that are not dropped.
func (f *filter) leadOf(n *needle) (lead []rune) {
	for _, unit := range n.units[:n.certain()] {
		if !f.isDropped(unit) {
			lead = append(lead, unit)
		}
	}
	return lead
}

// addNeedle adds the grams of a needle.
func (f *filter) addNeedle(n *needle) {
	f.addHeads(n, 0, nil)

	runs := runAdder{f, f.leadOf(n), n.groupFrom == 2}
	for start := 0; start <= f.reach-gramSize && start < len(runs.lead); start++ {
		runs.add(start, nil)
		if runs.prefixed && start >= 2 {
			runs.add(start, []byte{'x'})
		}
	}
	if n.groupFrom == 2 {
		f.pairs[codeOf(n.units[0])] |= 1 << codeOf(n.units[1])
	}
}

// canTagFollow reports whether a needle can begin with b, or with a and b, and go on
// after a tag.
func (f *filter) canTagFollow(a, b byte) bool {
	return f.tagFirsts[b] || f.tagPairs[codes[a]]>>codes[b]&1 != 0
}

// hasPair reports whether a needle can begin with two bytes that a separator follows.
func (f *filter) hasPair(a, b byte) bool { return f.pairs[codes[a]]>>codes[b]&1 != 0 }

// addHeads adds the spellings of the first three units as they are.
func (f *filter) addHeads(n *needle, k int, raw []byte) {
	if len(raw) == 3 {
		f.add(gramHead, gramOf(raw))
		return
	}
	unit := n.units[k]
	if unit >= utf8.RuneSelf {
		return
	}
	raw = raw[:len(raw):len(raw)]
	f.addHeads(n, k+1, append(raw, byte(unit)))
	if unit == ' ' {
		f.addHeads(n, k+1, append(raw, '+'))
	}
	if k == 2 && n.groupFrom == 2 {
		f.addHeads(n, k, append(raw, '0'))
	}
}

// runAdder adds the runs of plain bytes that a needle consists of.
type runAdder struct {
	filter   *filter
	lead     []rune
	prefixed bool // whether the matcher skips 0x between units
}

// add adds the bytes that unit k and those after it can follow raw as.
func (r *runAdder) add(k int, raw []byte) {
	raw = raw[:len(raw):len(raw)]
	if len(raw) == gramSize {
		r.filter.add(gramRun, gramOf(raw))
		return
	}
	if len(raw) == gramSize-1 {
		r.filter.add(gramBefore, gramOf(raw))
	}

	if r.prefixed && k >= 2 {
		if len(raw) == gramSize-1 {
			r.add(k, append(raw, '0'))
		} else {
			r.add(k, append(raw, '0', 'x'))
		}
	}
	if k < len(r.lead) && !r.filter.isEarly(r.lead[k]) {
		r.add(k+1, append(raw, byte(r.lead[k])))
	}
}

// gramOf returns bytes as a gram: the first one is the lowest, and the last one of
// three the highest as well.
func gramOf(raw []byte) (gram uint32) {
	for i, b := range raw {
		gram |= uint32(b) << (8 * (i + gramSize - len(raw)))
	}
	return gram
}

const (
	gramBits = 18

	gramMultiplier = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio

	foldedBits = 0x20202020 // fold the case of letters, and make some other bytes equal
)

// gramTable has a bit for each gram, at its hash. findGrams knows how it is read.
type gramTable [1 << gramBits / 64]uint64

// hashGram returns the number of a gram's bit. The lowest byte of one of three does not
// count.
func hashGram(kind gramKind, gram uint32) uint64 {
	gram |= foldedBits
	if kind != gramRun {
		gram &^= 0xFF
	}
	return (uint64(kind)<<32 | uint64(gram)) * gramMultiplier >> (64 - gramBits)
}

func (f *filter) add(kind gramKind, gram uint32) {
	at := hashGram(kind, gram)
	f.grams[at>>6] |= 1 << (at & 63)
}

// has reports whether a needle has the gram.
func (f *filter) has(kind gramKind, gram uint32) bool { return f.bit(kind, gram)&1 != 0 }

// bit returns a number whose lowest bit says whether a needle has the gram.
func (f *filter) bit(kind gramKind, gram uint32) uint64 {
	at := hashGram(kind, gram)
	return f.grams[at>>6] >> (at & 63)
}

// hasHead reports whether a needle can begin with three bytes as they are.
func (f *filter) hasHead(a, b, c byte) bool {
	return f.has(gramHead, uint32(a)<<8|uint32(b)<<16|uint32(c)<<24)
}

// findGramsPortable is findGrams for any processor.
func findGramsPortable(grams *gramTable, bytes []byte, stride, n int, found []uint64) {
	for i := range n {
		if i%64 == 0 {
			found[i/64] = 0
		}
		at := hashGram(gramRun, binary.LittleEndian.Uint32(bytes[i*stride:]))
		found[i/64] |= grams[at>>6] >> (at & 63) & 1 << (63 - i%64)
	}
}
