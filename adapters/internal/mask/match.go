package mask

import "bytes"

// matcher matches the needles of a mask against text, at one offset after the other.
type matcher struct {
	mask   *Mask
	reader unitReader
	needle *needle // that matched last, or began to

	first, second readings

	// current holds the readings at offset currentAt-1, which one needle after the
	// other asks for.
	current   readings
	currentAt int
}

// reset prepares the matcher for a mask and a text.
func (x *matcher) reset(m *Mask, text []byte) {
	x.mask, x.reader.text = m, text
	x.needle, x.currentAt = nil, 0
}

const (
	// maxStates bounds the offsets at which a needle is followed at the same time.
	// There is more than one only if an escape can be read in several ways.
	maxStates = 12

	// maxSkipped bounds what is skipped between two units of a needle.
	maxSkipped = 48

	// maxTag bounds a tag that is skipped, in bytes.
	maxTag = 120
)

// beginning says whether the text ends before a secret that it ends with does.
type beginning uint8

const (
	none  beginning = iota // it does not
	short                  // it does, after units that are too few to be masked
	long                   // it does, after units that are masked
)

// matchAt returns the end of the longest secret that begins at offset p, or 0, and
// whether the text ends with the beginning of a secret there.
func (x *matcher) matchAt(p int) (end int, open beginning) {
	if x.isHarmlessReference(p) {
		return 0, none
	}

	x.reader.read(p, &x.first)
	if x.first.cut {
		open = short
	}

	for i := range x.first.n {
		r := x.first.all[i]
		first := codeOf(r.unit)
		if len(x.mask.startingWithFirst(first)) == 0 {
			continue
		}

		if x.readSecond(r) {
			end, open = x.followAll(x.mask.startingWithFirst(first), r, end, open)
			continue
		}
		for j := range x.second.n {
			second := codeOf(x.second.all[j].unit)
			if j > 0 && second == codeOf(x.second.all[j-1].unit) {
				continue
			}
			end, open = x.followAll(x.mask.startingWith(first, second), r, end, open)
		}
	}
	return end, open
}

// isHarmlessReference reports whether a character reference such as &amp; stands at p,
// or after a plain letter there, and no needle has the character there. Pages are full
// of them, so they are looked at before all readings are.
func (x *matcher) isHarmlessReference(p int) bool {
	text, m := x.reader.text, x.mask
	if text[p] == '&' {
		r, _, ok := plainReference(text, p)
		return ok && len(m.startingWithFirst(codeEntity)) == 0 && len(m.startingWithFirst(codeOf(r))) == 0
	}

	first := codes[text[p]]
	if first >= codePercent || p+1 >= len(text) || text[p+1] != '&' {
		return false
	}
	r, _, ok := plainReference(text, p+1)
	return ok && skipOf(r) != skipBreak && len(m.startingWith(first, codeEntity)) == 0 && len(m.startingWith(first, codeOf(r))) == 0
}

// plainReference returns what a reference by name at p stands for, and its end, if it
// can be read in no other way.
func plainReference(text []byte, p int) (r rune, end int, ok bool) {
	r, end, ok = referenceAt(text, p+1)
	if !ok {
		end = afterName(text, p+1)
		if end >= len(text) || text[end] != ';' {
			return 0, 0, false
		}
		end++
		r, ok = entity(text[p+1 : end])
	}
	if !ok || isIntroducer(r) && r != '&' {
		return 0, 0, false
	}
	if r != '&' {
		return fold(r), end, true
	}

	if isPlainName(text, end) {
		return '&', end, true // it begins no other reference
	}
	return 0, 0, false
}

// isPlainName reports whether the letters and digits at p, if there are any, cannot be
// the name of a character reference.
func isPlainName(text []byte, p int) bool {
	end := afterName(text, p)
	if end >= len(text) || end > p && text[end] == ';' || end == p && text[end] == '#' || codes[text[end]] == codeBreak {
		return false
	}
	isEscape := isIntroducer(rune(text[end])) && (text[end] != '=' || end+1 >= len(text) || isIntroducedByEquals(text, end+1))
	if isEscape {
		return false
	}
	name := text[p:end]
	isOld := len(name) >= leastOldName && mayBeOldName(name[:leastOldName]) || len(name) > leastOldName && mayBeOldName(name[:leastOldName+1])
	return !isOld
}

// afterName returns the end of the letters and digits that begin at p, at most
// maxEntityName of them.
func afterName(text []byte, p int) int {
	end := p
	for end < len(text) && end < p+maxEntityName && codes[text[end]] < codePercent {
		end++
	}
	return end
}

// readSecond reads what follows a first unit, once for all needles. It reports
// whether the second unit of any needle may follow further on.
func (x *matcher) readSecond(first reading) (any bool) {
	p := first.end
	if p >= len(x.reader.text) {
		return true
	}
	x.reader.read(p, &x.second)
	for _, r := range x.second.all[:x.second.n] {
		any = any || skipOf(r.unit) == skipBreak || r.unit == first.unit && isQuote(r.unit)
	}
	return any || x.second.cut || x.reader.text[p] == '<'
}

// followAll follows needles whose first unit may be r, and adds to what is known of
// end and open.
func (x *matcher) followAll(needles []needle, r reading, end int, open beginning) (int, beginning) {
	isTag := r.end < len(x.reader.text) && x.reader.text[r.end] == '<'
	for i := range needles {
		n := &needles[i]
		if n.units[0] != r.unit || isTag && n.tagFrom > 1 && n.units[1] != '<' {
			continue
		}
		e, begun := x.follow(n, r.end)
		if e > end || end == 0 && begun > open {
			x.needle = n
		}
		end, open = max(end, e), max(open, begun)
	}
	return end, open
}

// follow matches the rest of a needle whose first unit ends at p.
func (x *matcher) follow(n *needle, p int) (end int, open beginning) {
	var states, next [maxStates]int
	states[0], next[0] = p, 0
	count := 1

	for k := 1; k < len(n.units); k++ {
		reached, cut := x.step(n, k, states[:count], next[:0])
		if cut && k >= n.beginning {
			open = long
		} else if cut {
			open = max(open, short)
		}
		if len(reached) == 0 {
			if k >= n.prefix {
				end = latest(states[:count])
			}
			return end, open
		}
		count = copy(states[:], reached)
	}
	return latest(states[:count]), open
}

func latest(offsets []int) (last int) {
	for _, p := range offsets {
		last = max(last, p)
	}
	return last
}

// step appends to next the offsets that unit k of the needle leads to from the given
// ones. cut reports that the text ends before the unit does.
func (x *matcher) step(n *needle, k int, from, next []int) (reached []int, cut bool) {
	text, want := x.reader.text, n.units[k]
	for _, p := range from {
		// Nearly every unit is a plain one that fits.
		if p < len(text) {
			c := text[p]
			if codes[c] < codePercent && folded[c] == want {
				next = addOffset(next, p+1)
				continue
			}
		}
		var at bool
		next, at = x.skipAndStep(n, k, p, next)
		cut = cut || at
	}
	return next, cut
}

func addOffset(offsets []int, p int) []int {
	for _, o := range offsets {
		if o == p {
			return offsets
		}
	}
	if len(offsets) < maxStates {
		offsets = append(offsets, p)
	}
	return offsets
}

// skipAndStep is step from one offset, past what may stand between two units.
func (x *matcher) skipAndStep(n *needle, k, p int, next []int) (reached []int, cut bool) {
	text, want := x.reader.text, n.units[k]
	var pending [maxStates]int
	waiting := append(pending[:0], p)
	afterBreak, groups := false, k >= n.groupFrom

	for skipped := 0; len(waiting) > 0 && skipped < maxSkipped; skipped++ {
		p := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if p >= len(text) {
			cut = true
			continue
		}

		if k >= n.tagFrom {
			if end, open := tagAt(text, p); end > 0 {
				waiting = addOffset(waiting, end)
			} else if open {
				cut = true
			}
		}
		if groups {
			if n.groupFrom == 2 && p+1 < len(text) && text[p] == '0' && text[p+1]|0x20 == 'x' {
				waiting = addOffset(waiting, p+2) // 0x41, 0x42
			}
		}

		if x.currentAt != p+1 {
			x.reader.read(p, &x.current)
			x.currentAt = p + 1
		}
		cut = cut || x.current.cut
		for _, r := range x.current.all[:x.current.n] {
			if r.unit == want {
				next = addOffset(next, r.end)
			}
			if r.unit == n.units[k-1] && isQuote(r.unit) {
				waiting = addOffset(waiting, r.end) // doubled
			}
			switch skipOf(r.unit) {
			case skipBreak:
				afterBreak = afterBreak || r.unit == '\n' || r.unit == '\r' || r.unit == softBreak
				waiting = addOffset(waiting, r.end)
			case skipGroup:
				if groups || afterBreak && (r.unit == ' ' || r.unit == '\t') {
					waiting = addOffset(waiting, r.end)
				}
			}
		}
	}
	return next, cut
}

// isQuote reports whether r is a quotation mark that CSV, SQL and others write twice.
func isQuote(r rune) bool { return r == '"' || r == '\'' || r == '`' }

// tagAt returns the end of the tag at p, which a reader of the page does not see. open
// reports that the text ends inside it.
func tagAt(text []byte, p int) (end int, open bool) {
	if text[p] != '<' {
		return 0, false
	}
	inside := text[p+1 : min(p+maxTag, len(text))]
	size := bytes.IndexByte(inside, '>')
	if size < 0 {
		return 0, p+maxTag > len(text) && bytes.IndexByte(inside, '<') < 0
	}
	if bytes.IndexByte(inside[:size], '<') >= 0 {
		return 0, false
	}
	return p + 1 + size + 1, false
}
