package mask

import (
	"unicode"
	"unicode/utf8"
)

// fold maps all code points that differ only in case to one of them (simple case
// folding). If one of them is in ASCII, fold returns its lower case.
func fold(r rune) rune {
	if uint32(r) < uint32(len(folded)) {
		return folded[r]
	}
	return foldOrbit(r)
}

// folded holds the mapping for Latin-1.
var folded = func() (table [256]rune) {
	for r := range table {
		table[r] = foldOrbit(rune(r))
	}
	return table
}()

func foldOrbit(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + ('a' - 'A')
	}
	if r < utf8.RuneSelf || 0x2000 <= r && r < 0x2126 { // punctuation, which has no case
		return r
	}

	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least + ('a' - 'A')
	}
	return least
}

func foldAll(s string) []rune {
	units := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = rune(s[i])
		}
		units = append(units, fold(r))
		i += n
	}
	return units
}

// skip says whether a unit may stand between two units of a secret.
type skip uint8

const (
	skipNone  skip = iota
	skipBreak      // a line break or something that no reader sees
	skipGroup      // what separates groups of digits
)

// softBreak stands for a line break that an encoding inserted and its reader removes.
const softBreak = '\u200b'

func skipOf(r rune) skip {
	switch r {
	case '\n', '\r', 0, '\u00ad', softBreak, '\u200c', '\u200d', '\u200e', '\u200f', '\u2028', '\u2029', '\u2060', '\ufeff':
		return skipBreak
	case ' ', '\t', '-', '.', ',', ':', '_', '\u00a0', '\u2007', '\u2009', '\u200a', '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u202f':
		return skipGroup
	}
	return skipNone
}
