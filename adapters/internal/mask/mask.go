// Package mask finds the secrets of a session in text and overwrites them, in every
// spelling that a reader of the text could undo.
//
// The text is matched unit by unit. A unit is a code point or a byte, whatever escape
// it is written in; see reading for the escapes and needle for what is searched for.
package mask

import (
	"slices"
	"unsafe"
)

// Mask overwrites secrets in text with as many asterisks, so that lengths and offsets
// stay true. It is immutable and safe for concurrent use. A nil Mask changes nothing.
// Secrets shorter than 6 bytes and common words are not masked: text that holds them
// by chance would be destroyed, and asterisks in their place would tell where they are.
type Mask struct {
	// needles are sorted by the codes of their first two units. Those of two codes are
	// needles[begin[64*first+second]:begin[64*first+second+1]].
	needles []needle
	begin   [64*64 + 1]uint16

	filter filter
}

// New returns the mask for all patterns, or nil if there is nothing to mask.
func New(patterns []*Pattern) *Mask {
	n := 0
	for _, p := range patterns {
		n += len(p.needles)
	}
	return newAtMost(patterns, min(n, 1<<16-1))
}

// newAtMost builds the mask of the first n needles; 65,535 are those of several
// hundred secrets.
func newAtMost(patterns []*Pattern, n int) *Mask {
	if n == 0 {
		return nil
	}

	m := &Mask{needles: make([]needle, 0, n)}
	for _, p := range patterns {
		m.needles = append(m.needles, p.needles[:min(len(p.needles), n-len(m.needles))]...)
	}
	slices.SortStableFunc(m.needles, func(a, b needle) int { return a.pair() - b.pair() })

	for i := range m.needles {
		m.begin[m.needles[i].pair()+1] = uint16(i + 1)
	}
	for i := 1; i < len(m.begin); i++ {
		m.begin[i] = max(m.begin[i], m.begin[i-1])
	}
	prepareNames()
	m.filter.init(m.needles)
	return m
}

// pair returns the codes of the first two units as one number.
func (n *needle) pair() int { return int(codeOf(n.units[0]))<<6 | int(codeOf(n.units[1])) }

// startingWith returns the needles whose first two units have the codes.
func (m *Mask) startingWith(first, second uint8) []needle {
	pair := int(first)<<6 | int(second)
	return m.needles[m.begin[pair]:m.begin[pair+1]]
}

// startingWithFirst returns the needles whose first unit has the code.
func (m *Mask) startingWithFirst(first uint8) []needle {
	return m.needles[m.begin[int(first)<<6]:m.begin[int(first+1)<<6]]
}

// canBegin reports whether a needle can begin with the two plain bytes.
func (m *Mask) canBegin(a, b byte) bool { return len(m.startingWith(codes[a], codes[b])) > 0 }

// canBeginWith reports whether a needle can begin with the unit.
func (m *Mask) canBeginWith(unit rune) bool { return len(m.startingWithFirst(codeOf(unit))) > 0 }

// canBeginWithTwo reports whether a needle can begin with the two units.
func (m *Mask) canBeginWithTwo(first, second rune) bool {
	return len(m.startingWith(codeOf(first), codeOf(second))) > 0
}

// span is a stretch of text that is masked, with the label of the secret.
type span struct {
	start, end int
	label      string
}

// spans appends to dst the stretches of b that are masked, by rising start; they may
// overlap. Among them is the beginning of a secret that b ends with, if it is long
// enough. open is the offset from which on more text could change the result, or
// len(b): there the beginning of a secret of any length stands. It is not sought if b
// is whole.
func (m *Mask) spans(dst []span, b []byte, isWhole bool) (all []span, open int) {
	if m == nil {
		return dst, len(b)
	}

	s := m.scan(b, isWhole)
	defer s.free()
	x := &s.matcher
	open = len(b)
	covered := 0 // by spans
	for p := s.Next(); p < len(b); p = s.Next() {
		end, beginning := x.matchAt(p)
		if beginning != none {
			open = min(open, p)
		}
		if beginning == long {
			end = len(b)
		}
		if end > 0 {
			dst = append(dst, x.span(p, end, covered))
			covered = max(covered, end)
		}
	}
	return dst, open
}

// span returns the span of a match. If it is of digits it includes the neighbours, in
// which some bits of the secret may be. If it is of the end of a secret it includes what
// precedes that, back to from.
func (x *matcher) span(start, end, from int) span {
	b := x.reader.text
	start = x.extend(start, from)
	if x.needle.digits {
		if start > 0 && codes[b[start-1]] < codePercent {
			start--
		}
		if end < len(b) && codes[b[end]] < codePercent {
			end++
		}
	}
	return span{start, end, x.needle.label}
}

// Find returns the label of a secret that b contains.
func (m *Mask) Find(b []byte) (label string, found bool) {
	label, _, found = m.find(b, true)
	return label, found
}

// FindText is Find for a string.
func (m *Mask) FindText(s string) (label string, found bool) { return m.Find(bytesOf(s)) }

// find also returns the offset from which on more text could contain a secret, unless b
// is whole.
func (m *Mask) find(b []byte, isWhole bool) (label string, open int, found bool) {
	if m == nil {
		return "", len(b), false
	}

	s := m.scan(b, isWhole)
	defer s.free()
	x := &s.matcher
	open = len(b)
	for p := s.Next(); p < len(b); p = s.Next() {
		end, beginning := x.matchAt(p)
		if end > 0 {
			return x.needle.label, p, true
		}
		if beginning != none {
			open = min(open, p)
		}
	}
	return "", open, false
}

// InPlace masks b, which is a whole text.
func (m *Mask) InPlace(b []byte) {
	if m == nil {
		return
	}
	var few [8]span
	found, _ := m.spans(few[:0], b, true)
	for _, s := range found {
		stars(b[s.start:s.end])
	}
}

// Text masks a whole text; it returns the same string if there is nothing to mask.
func (m *Mask) Text(s string) string {
	if m == nil {
		return s
	}
	var few [8]span
	found, _ := m.spans(few[:0], bytesOf(s), true)
	if len(found) == 0 {
		return s
	}

	b := []byte(s)
	for _, f := range found {
		stars(b[f.start:f.end])
	}
	return string(b)
}

// bytesOf returns the bytes of s, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func stars(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}
