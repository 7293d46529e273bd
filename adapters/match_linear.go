package adapters

import "strings"

// matchLinear is match for values that matchParts would take too long for. Its time and memory are proportional to the
// length of the value times the number of parts. It binds what matchParts binds: every wildcard takes as little as lets
// the rest of the pattern fit, from the left.
//
// It first finds, from the last part to the first, at which offsets of the value the rest of the pattern fits, and then
// walks from the left along the offsets that are left.
func (p *pattern) matchLinear(value string, b *bindings) bool {
	fits := make([][]bool, len(p.parts)+1) // by part and offset
	fits[len(p.parts)] = make([]bool, len(value)+1)
	fits[len(p.parts)][len(value)] = true
	for i := len(p.parts) - 1; i >= 0; i-- {
		fits[i] = p.fitOffsets(&p.parts[i], value, fits[i+1], b)
	}
	if !fits[0][0] {
		return false
	}

	at := 0
	for i := range p.parts {
		part := &p.parts[i]
		if !part.wild {
			at += len(part.text)
			continue
		}
		if part.variable >= 0 && b[part.variable] != "" {
			at += len(b[part.variable])
			continue
		}

		end := at + part.least()
		for !fits[i+1][end] {
			end++
		}
		part.bind(value[at:end], b)
		at = end
	}
	return true
}

// fitOffsets returns at which offsets a part fits, if next are the offsets at which the parts after it fit.
func (p *pattern) fitOffsets(part *part, value string, next []bool, b *bindings) []bool {
	fits := make([]bool, len(next))
	switch {
	case !part.wild:
		for at := 0; at+len(part.text) <= len(value); at++ {
			fits[at] = next[at+len(part.text)] && p.same(value[at:at+len(part.text)], part.text)
		}

	case part.variable >= 0 && b[part.variable] != "":
		bound := b[part.variable]
		if part.kind.allows(bound) {
			eachOccurrence(value, bound, func(at int) { fits[at] = next[at+len(bound)] })
		}

	case part.kind == digits:
		fitDigits(value, next, fits)

	default: // any text: it fits where the rest fits at some later offset
		later := false
		least := part.least()
		for at := len(value); at >= 0; at-- {
			if at+least <= len(value) && next[at+least] {
				later = true
			}
			fits[at] = later
		}
	}
	return fits
}

// fitDigits sets the offsets at which a number without leading zeros begins after which next fits.
func fitDigits(value string, next, fits []bool) {
	later := false // next fits after some digits from here on
	for at := len(value) - 1; at >= 0; at-- {
		isDigit := value[at] >= '0' && value[at] <= '9'
		later = isDigit && (later || next[at+1])
		fits[at] = later
		if value[at] == '0' {
			fits[at] = next[at+1]
		}
	}
}

// eachOccurrence calls found with every offset at which word is in text, also where occurrences overlap. Its time is
// linear (Knuth, Morris and Pratt, "Fast Pattern Matching in Strings", 1977). word is not empty.
func eachOccurrence(text, word string, found func(at int)) {
	if len(word) > len(text) || !strings.Contains(text, word) {
		return
	}

	border := make([]int, len(word)) // of each prefix: its longest proper prefix that also ends it
	for i, n := 1, 0; i < len(word); i++ {
		for n > 0 && word[i] != word[n] {
			n = border[n-1]
		}
		if word[i] == word[n] {
			n++
		}
		border[i] = n
	}

	n := 0 // bytes of word that match up to here
	for i := range len(text) {
		for n > 0 && text[i] != word[n] {
			n = border[n-1]
		}
		if text[i] == word[n] {
			n++
		}
		if n == len(word) {
			found(i + 1 - n)
			n = border[n-1]
		}
	}
}
