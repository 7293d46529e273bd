package mask

import (
	_ "embed"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// entityList holds the named character references of the HTML standard that stand for
// one code point: a name in a line, with its semicolon if it needs one, and the code
// point in hex.
//
//go:embed entities.txt
var entityList string

const (
	maxEntityName = 32

	// Names that need no semicolon have from 2 to 6 letters.
	leastOldName, longestOldName = 2, 6
)

// entities maps the names of character references to their code points.
var entities = sync.OnceValue(func() map[string]rune {
	all := make(map[string]rune, 2200)
	for line := range strings.Lines(entityList) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		r, err := strconv.ParseUint(digits, 16, 32)
		if err != nil {
			panic("mask: entities.txt: " + err.Error())
		}
		all[name] = rune(r)
	}
	return all
})

// oldNames tells by the first three letters, or the two of a short name, whether a name
// that needs no semicolon begins with them: by the bit of the third letter's code, or
// by wholeName.
var oldNames [64][64]uint64

const wholeName = 1 << 63 // no letter has the code 63

// shortNames is a hash table of the names of at most maxShortName bytes, which pages are
// full of.
var shortNames [1 << shortNameBits]shortName

// shortName is the name of a character reference in one number.
type shortName struct {
	key   uint64
	value rune
}

const (
	maxShortName  = 8
	shortNameBits = 13

	ampersandName = 'a' | 'm'<<8 | 'p'<<16 | ';'<<24 // the one that is most frequent
)

// prepareNames fills oldNames and shortNames, which masks look at without
// synchronization. New calls it.
var prepareNames = sync.OnceFunc(func() {
	for name, value := range entities() {
		if len(name) <= maxShortName {
			addShortName(name, value)
		}
		switch {
		case name[len(name)-1] == ';':
		case len(name) == leastOldName:
			oldNames[codes[name[0]]][codes[name[1]]] |= wholeName
		default:
			oldNames[codes[name[0]]][codes[name[1]]] |= 1 << codes[name[2]]
		}
	}
})

func addShortName(name string, value rune) {
	key := shortNameKey([]byte(name))
	at := hashShortName(key)
	for shortNames[at].key != 0 {
		at = (at + 1) % uint64(len(shortNames))
	}
	shortNames[at] = shortName{key, value}
}

// mayBeOldName reports whether name can be one that needs no semicolon.
func mayBeOldName(name []byte) bool {
	if len(name) < leastOldName || len(name) > longestOldName {
		return false
	}
	begin := oldNames[codes[name[0]]][codes[name[1]]]
	if len(name) == leastOldName {
		return begin&wholeName != 0
	}
	return begin>>codes[name[2]]&1 != 0
}

// entity returns what a name with its semicolon stands for.
func entity(name []byte) (r rune, known bool) {
	if len(name) > maxShortName {
		r, known = entities()[string(name)]
		return r, known
	}

	return shortReference(shortNameKey(name))
}

func shortReference(key uint64) (r rune, known bool) {
	for at := hashShortName(key); shortNames[at].key != 0; at = (at + 1) % uint64(len(shortNames)) {
		if shortNames[at].key == key {
			return shortNames[at].value, true
		}
	}
	return 0, false
}

// shortNameKey returns the bytes of a name, the first one lowest.
func shortNameKey(name []byte) (key uint64) {
	for i, c := range name {
		key |= uint64(c) << (8 * i)
	}
	return key
}

// referenceAt returns what a name of at most maxShortName bytes at p stands for, and its
// end. It returns false if there is none.
func referenceAt(text []byte, p int) (r rune, end int, ok bool) {
	if p+maxShortName > len(text) {
		return 0, 0, false
	}
	key := binary.LittleEndian.Uint64(text[p:])
	if uint32(key) == ampersandName {
		return '&', p + 4, true
	}
	differs := key ^ 0x0101010101010101*';'
	semicolon := (differs - 0x0101010101010101) &^ differs & 0x8080808080808080
	if semicolon == 0 {
		return 0, 0, false
	}

	size := bits.TrailingZeros64(semicolon) + 1 // in bits
	key = key << (64 - size) >> (64 - size)
	r, ok = shortReference(key)
	return r, p + size/8, ok
}

func hashShortName(key uint64) uint64 { return key * gramMultiplier >> (64 - shortNameBits) }

// windows1252 holds what browsers read numeric references from 128 to 159 as (HTML
// standard, numeric character reference end state).
var windows1252 = [32]rune{
	0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
	0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
}
