package mask

import "slices"

// filter finds the offsets at which a secret can begin, by three bytes at a time. It
// passes too many, never too few. Every byte has one of 64 codes: letters in both
// cases and digits have one each, and so have the bytes by which something other than
// a plain unit begins.
type filter struct {
	possible [1 << 18 / 32]uint32 // a bit for each three codes
	tails    [64]bool             // codes that a secret can begin with, for the last two bytes
	firsts   [64]bool             // codes of first units that addFirst was called for
	escaped  bool                 // addEscaped was called
	equals   bool                 // an equals sign is among the first three units of a secret
}

const (
	codeLetter  = 0 // to 25
	codeDigit   = 26
	codePercent = 36
	codeEquals  = 37
	codeEntity  = 38
	codeEscape  = 39 // a backslash
	codeBreak   = 40 // CR, LF, NUL
	codeHigh    = 41 // not ASCII
	codeBlank   = 42
	codeHash    = 43
	codeControl = 44
	codeOthers  = 45 // to 63
)

var codes = func() (table [256]uint8) {
	others := 0
	for c := range table {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z' && c < 128:
			table[c] = uint8(codeLetter + (c | 0x20) - 'a')
		case '0' <= c && c <= '9':
			table[c] = uint8(codeDigit + c - '0')
		case c == '%':
			table[c] = codePercent
		case c == '=':
			table[c] = codeEquals
		case c == '&':
			table[c] = codeEntity
		case c == '\\':
			table[c] = codeEscape
		case c == '\r' || c == '\n' || c == 0:
			table[c] = codeBreak
		case c >= 128:
			table[c] = codeHigh
		case c == ' ' || c == '\t' || c == '+': // a plus sign is a blank in a query
			table[c] = codeBlank
		case c == '#':
			table[c] = codeHash
		case c < ' ' || c == 127:
			table[c] = codeControl
		default:
			table[c] = uint8(codeOthers + others%(64-codeOthers))
			others++
		}
	}
	return table
}()

func (f *filter) set(a, b, c uint8) {
	at := uint32(a)<<12 | uint32(b)<<6 | uint32(c)
	f.possible[at>>5] |= 1 << (at & 31)
}

// follow calls do for every code that may follow the code of an introducer for which
// the introducer begins an escape.
func follow(introducer uint8, do func(code uint8)) {
	for _, c := range [...]uint8{codePercent, codeEquals, codeEntity, codeEscape, codeBreak, codeHigh} {
		do(c)
	}
	switch introducer {
	case codePercent, codeEquals:
		for c := range uint8(10) {
			do(codeDigit + c)
		}
		for c := range uint8(6) {
			do(codeLetter + c)
		}
		if introducer == codePercent {
			do(codeLetter + 'u' - 'a')
		} else {
			do(codeBlank)
		}
	case codeEntity:
		for c := range uint8(26) {
			do(codeLetter + c)
		}
		do(codeHash)
	default:
		for c := range uint8(64) {
			do(c)
		}
	}
}

var introducers = [...]uint8{codePercent, codeEquals, codeEntity, codeEscape}

// add makes f pass the offsets at which the units can begin, whose groups may be
// separated after groupFrom of them.
func (f *filter) add(units []rune, groupFrom int) {
	if !f.escaped {
		f.addEscaped()
		f.escaped = true
	}

	if slices.Contains(units[:3], '=') {
		f.equals = true
	}

	first := codeOf(units[0])
	if first == codeHigh {
		f.tails[codeHigh] = true
		f.setFrom(codeHigh)
		return
	}
	if !f.firsts[first] {
		f.addFirst(first)
	}

	second := codeOf(units[1])
	if second == codeHigh {
		return // addFirst has set it
	}
	for _, c := range [...]uint8{codePercent, codeEquals, codeEntity, codeEscape, codeBreak, codeHigh} {
		f.set(first, second, c)
	}
	if groupFrom <= 2 {
		for _, c := range " -.,:_<0" {
			f.set(first, second, codes[c])
		}
	}
	f.set(first, second, codeOf(units[2]))
}

// codeOf returns the code of a unit, or of the first byte of it.
func codeOf(unit rune) uint8 {
	if unit >= 128 {
		return codeHigh
	}
	return codes[unit]
}

// addFirst makes f pass the code of a first unit if the second one is escaped, or if
// something stands between them.
func (f *filter) addFirst(first uint8) {
	f.firsts[first], f.tails[first] = true, true
	for _, i := range introducers {
		follow(i, func(next uint8) { f.set(first, i, next) })
	}
	for next := range uint8(64) {
		f.set(first, codeBreak, next)
		f.set(first, codeHigh, next)
	}
}

// addEscaped makes f pass the offsets at which an escape begins.
func (f *filter) addEscaped() {
	for _, i := range introducers {
		f.tails[i] = true
		follow(i, func(next uint8) {
			for c := range uint8(64) {
				if i == codeEquals && isPlainCode(next) && !isHexCode(c) {
					continue
				}
				f.set(i, next, c)
			}
		})
	}
}

func isPlainCode(c uint8) bool { return c < codePercent }

// isHexCode reports whether a hex digit, or the beginning of an escaped one, has the
// code.
func isHexCode(c uint8) bool {
	return c < codeLetter+6 || codeDigit <= c && c <= codeHigh
}

// setFrom makes f pass every offset at which the code stands.
func (f *filter) setFrom(first uint8) {
	for second := range uint8(64) {
		for third := range uint8(64) {
			f.set(first, second, third)
		}
	}
}

// next returns the first offset in b, from p on, at which a secret can begin, or
// len(b).
func (f *filter) next(b []byte, p int) int {
	for p+2 < len(b) {
		three := uint32(codes[b[p]])<<6 | uint32(codes[b[p+1]])
		found := -1
		for i, c := range b[p+2:] {
			three = (three<<6 | uint32(codes[c])) & (1<<18 - 1)
			if f.possible[three>>5]>>(three&31)&1 != 0 {
				found = p + i
				break
			}
		}
		if found < 0 {
			p = len(b) - 2
			break
		}
		if f.equals || isPlausible(b, found) {
			return found
		}
		p = found + 1
	}
	for ; p < len(b); p++ {
		if f.tails[codes[b[p]]] {
			return p
		}
	}
	return len(b)
}

// isPlausible reports whether the first equals sign among the three bytes at p, if
// there is one, can begin an escape: pages are full of others.
func isPlausible(b []byte, p int) bool {
	for i := p; i < p+3; i++ {
		if b[i] == '=' {
			return i+1 >= len(b) || isIntroducedByEquals(b, i+1)
		}
	}
	return true
}

// isIntroducedByEquals reports whether what stands at p can follow an equals sign of
// quoted-printable text.
func isIntroducedByEquals(b []byte, p int) bool {
	c := codes[b[p]]
	if c == codeBlank || c >= codePercent && c <= codeHigh {
		return true
	}
	return isHexCode(c) && (p+1 >= len(b) || isHexCode(codes[b[p+1]]))
}
