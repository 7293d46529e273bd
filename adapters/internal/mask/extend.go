package mask

import "bytes"

// maxEscape bounds how far back extend looks for the beginning of one unit.
const maxEscape = 16

// extend returns the offset at which the part of a secret begins whose end matched at
// start: back from there, but not before from, each unit must end where the next one, or
// what is skipped before it, begins.
func (x *matcher) extend(start, from int) int {
	units := x.needle.before
	for k := len(units) - 1; k >= 0 && start > from; k-- {
		p, ok := x.unitBefore(units[k], start, from)
		if !ok {
			break
		}
		start = p
	}
	return start
}

// unitBefore returns the offset of a unit that ends at end, or before what is skipped
// there.
func (x *matcher) unitBefore(unit rune, end, from int) (start int, ok bool) {
	text := x.reader.text
	for skipped := 0; skipped < maxSkipped && end > from; skipped++ {
		if p, ok := x.escapeBefore(unit, end, from); ok {
			return p, true
		}
		if folded[text[end-1]] == unit {
			return end - 1, true
		}
		switch {
		case isDroppable(rune(text[end-1])):
			end--
		case text[end-1] == '>':
			begin := bytes.LastIndexByte(text[max(end-maxTag, from):end], '<')
			if begin < 0 {
				return 0, false
			}
			end = max(end-maxTag, from) + begin
		default:
			return 0, false
		}
	}
	return 0, false
}

// escapeBefore returns the offset of the longest spelling of a unit, of more than one
// byte, that ends at end.
func (x *matcher) escapeBefore(unit rune, end, from int) (start int, ok bool) {
	for p := max(end-maxEscape, from); p < end-1; p++ {
		c := x.reader.text[p]
		if !isIntroducer(rune(c)) && c < 128 {
			continue
		}
		x.reader.read(p, &x.first)
		for _, r := range x.first.all[:x.first.n] {
			if r.unit == unit && r.end == end {
				return p, true
			}
		}
	}
	return 0, false
}
