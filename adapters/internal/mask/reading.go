package mask

import "unicode/utf8"

// reading is one way to read a unit of text: the folded code point, or byte, and the
// offset after it.
type reading struct {
	unit rune
	end  int
}

// readings are all ways to read the unit that begins at one offset: as it is, and by
// undoing each escape that begins there, again and again.
type readings struct {
	n   int
	all [12]reading

	// cut reports that the text ends inside an escape or a code point, so that more
	// text could add a reading.
	cut bool
}

func (r *readings) add(unit rune, end int) {
	for i := range r.n {
		if r.all[i].unit == unit && r.all[i].end == end {
			return
		}
	}
	if r.n < len(r.all) {
		r.all[r.n] = reading{unit, end}
		r.n++
	}
}

const (
	// maxNested bounds how deep the characters of an escape may be escaped themselves.
	maxNested = 4

	// maxChain bounds how often what an escape stands for may begin another one.
	maxChain = 24

	// maxSteps bounds the work for the readings of one unit.
	maxSteps = 1500
)

// unitReader reads units of text. It belongs to one goroutine.
type unitReader struct {
	text  []byte
	steps int
	inner [maxNested]readings // of the characters of escapes, by depth

	semicolon int // the end of a semicolon that stood where character looked last, or 0
}

// isIntroducer reports whether an escape can begin with c.
func isIntroducer(c rune) bool { return c == '%' || c == '&' || c == '\\' || c == '=' }

// read sets out to the readings at offset p, which must lie in the text.
func (t *unitReader) read(p int, out *readings) {
	t.steps = maxSteps
	out.n, out.cut = 0, false
	t.collect(p, out, 0)
}

func (t *unitReader) collect(p int, out *readings, nested int) {
	c := t.text[p]
	if c < utf8.RuneSelf {
		out.add(folded[c], p+1)
		if c == '+' {
			out.add(' ', p+1) // in a query
		}
		if isIntroducer(rune(c)) {
			t.unescape(rune(c), p+1, out, nested, 0)
		}
		return
	}

	out.add(folded[c], p+1) // as a byte, for text that is not UTF-8
	r, n := utf8.DecodeRune(t.text[p:])
	switch {
	case r != utf8.RuneError:
		out.add(fold(r), p+n)
	case !utf8.FullRune(t.text[p:]):
		out.cut = true
	}
}

// unescape adds the readings of an escape whose introducer ends at p.
func (t *unitReader) unescape(introducer rune, p int, out *readings, nested, chain int) {
	if t.steps--; t.steps < 0 || chain > maxChain {
		return
	}

	switch introducer {
	case '%':
		t.unescapePercent(p, out, nested, chain)
	case '=':
		t.unescapeQuotedPrintable(p, out, nested, chain)
	case '&':
		t.unescapeReference(p, out, nested, chain)
	case '\\':
		t.unescapeBackslash(p, out, nested, chain)
	}
}

// addDecoded adds what an escape stands for, and what that begins.
func (t *unitReader) addDecoded(r rune, end int, out *readings, nested, chain int) {
	out.add(fold(r), end)
	if r == '+' {
		out.add(' ', end)
	}
	if isIntroducer(r) {
		t.unescape(r, end, out, nested, chain+1)
	}
}

// addByte is addDecoded for an escape that stands for a byte. If the byte is the first
// of a code point in UTF-8 and the others follow, it also adds the code point.
func (t *unitReader) addByte(value rune, end int, out *readings, nested, chain int) {
	t.addDecoded(value, end, out, nested, chain)

	size := 0
	switch {
	case 0xC2 <= value && value <= 0xDF:
		size, value = 2, value&0x1F
	case 0xE0 <= value && value <= 0xEF:
		size, value = 3, value&0x0F
	case 0xF0 <= value && value <= 0xF4:
		size, value = 4, value&0x07
	}
	for range size - 1 {
		c, next, ok := t.character(end, func(r rune) bool { return 0x80 <= r && r <= 0xBF }, out, nested)
		if !ok {
			return
		}
		value, end = value<<6|c&0x3F, next
	}
	if size > 0 {
		out.add(fold(value), end)
	}
}

// character returns the character at p that an escape consists of, which may be
// escaped itself. Line breaks that an encoder inserted are skipped. fits says which
// characters the escape can have there; it gets them in their own case as long as
// they are not escaped.
func (t *unitReader) character(p int, fits func(rune) bool, out *readings, nested int) (c rune, end int, ok bool) {
	t.semicolon = 0
	for range 4 {
		if p >= len(t.text) {
			out.cut = true
			return 0, p, false
		}
		raw := rune(t.text[p])
		if fits(raw) {
			return raw, p + 1, true
		}
		if raw == ';' {
			t.semicolon = p + 1
			return 0, p, false
		}
		if raw == '\n' || raw == '\r' || raw == 0 {
			p++
			continue
		}
		if !isIntroducer(raw) || nested >= maxNested {
			return 0, p, false
		}

		if t.steps--; t.steps < 0 {
			return 0, p, false
		}
		inner := &t.inner[nested]
		inner.n, inner.cut = 0, false
		t.collect(p, inner, nested+1)
		out.cut = out.cut || inner.cut
		broken, semicolon := -1, 0
		for _, alternative := range inner.all[:inner.n] {
			if fits(alternative.unit) && alternative.end > end {
				c, end, ok = alternative.unit, alternative.end, true
			}
			if alternative.unit == softBreak {
				broken = alternative.end
			}
			if alternative.unit == ';' {
				semicolon = max(semicolon, alternative.end)
			}
		}
		t.semicolon = semicolon
		if ok {
			return c, end, true
		}
		if broken < 0 {
			return 0, p, false
		}
		p = broken
	}
	return 0, p, false
}

// plainDigits is digits for digits that are not escaped themselves.
func (t *unitReader) plainDigits(p int, base rune, most int, out *readings) (value rune, n, end int) {
	return t.digits(p, base, most, out, maxNested)
}

// digits reads up to most digits of the base and returns how many there were.
func (t *unitReader) digits(p int, base rune, most int, out *readings, nested int) (value rune, n, end int) {
	fits := isHexDigit
	switch base {
	case 8:
		fits = isOctalDigit
	case 10:
		fits = isDecimalDigit
	}

	for n < most {
		c, next, ok := t.character(p, fits, out, nested)
		if !ok {
			break
		}
		value, p, n = value*base+digitValue(c), next, n+1
		if value > utf8.MaxRune {
			return value, 0, p
		}
	}
	return value, n, p
}

// unescapePercent reads %41, and %u0041 as old scripts write it.
func (t *unitReader) unescapePercent(p int, out *readings, nested, chain int) {
	if value, n, end := t.digits(p, 16, 2, out, nested); n == 2 {
		t.addByte(value, end, out, nested, chain)
		return
	}
	if p < len(t.text) && t.text[p]|0x20 == 'u' {
		if value, n, end := t.digits(p+1, 16, 4, out, nested); n == 4 {
			t.addDecoded(value, end, out, nested, chain)
		}
	}
}

// unescapeQuotedPrintable reads =41, and the soft line break of RFC 2045 section 6.7.
func (t *unitReader) unescapeQuotedPrintable(p int, out *readings, nested, chain int) {
	end := p
	for end < len(t.text) && (t.text[end] == ' ' || t.text[end] == '\t') && end < p+80 {
		end++
	}
	_, lineEnd, isCR := t.character(end, func(r rune) bool { return r == '\r' }, out, nested)
	if isCR {
		end = lineEnd
	}
	if _, next, isLF := t.character(end, func(r rune) bool { return r == '\n' }, out, nested); isLF {
		end = next
	} else if !isCR {
		end = p
	}
	if end > p {
		out.add(softBreak, end)
		return
	}

	if value, n, end := t.digits(p, 16, 2, out, nested); n == 2 {
		t.addByte(value, end, out, nested, chain)
	}
}

// unescapeBackslash reads the escapes of JSON, scripts, style sheets and shells.
func (t *unitReader) unescapeBackslash(p int, out *readings, nested, chain int) {
	if p >= len(t.text) {
		out.cut = true
		return
	}
	if _, next, ok := t.character(p, isBackslash, out, nested); ok {
		t.addDecoded('\\', next, out, nested, chain)
		if chain == 0 {
			return // two plain ones are one that is escaped
		}
	}
	if raw := rune(t.text[p]); raw != '\\' && isIntroducer(raw) { // \& in shells
		out.add(raw, p+1)
	}
	c, next, ok := t.character(p, isEscapable, out, nested)
	if !ok {
		if t.text[p] == '\n' || t.text[p] == '\r' {
			t.unescapeLineEnd(p, out)
		}
		return
	}

	switch c {
	case 'u', 'U', 'x', 'X':
		if t.unescapeUnicode(c, next, out, nested, chain) {
			return
		}
	case 'n':
		out.add('\n', next)
	case 'r':
		out.add('\r', next)
	case 't', 'v', 'f':
		out.add('\t', next)
	}
	value, n, end := t.plainDigits(p, 8, 3, out)
	if n > 0 {
		t.addByte(value, end, out, nested, chain)
	}
	if value, n, further := t.digits(p, 8, 3, out, nested); n > 0 && further != end {
		t.addByte(value, further, out, nested, chain)
	}
	if value, n, end := t.plainDigits(p, 16, 6, out); n > 0 { // a style sheet's
		if after := t.afterBlank(end); after > end {
			out.add(fold(value), after)
		}
		t.addDecoded(value, end, out, nested, chain)
	}
	t.addDecoded(c, next, out, nested, chain) // \" and \/, and a backslash
}

// afterBlank returns the offset after the one blank at p that ends the digits of an
// escape in a style sheet. A line end is one blank.
func (t *unitReader) afterBlank(p int) int {
	if p >= len(t.text) {
		return p
	}
	switch t.text[p] {
	case ' ', '\t', '\n', '\f':
		return p + 1
	case '\r':
		if p+1 < len(t.text) && t.text[p+1] == '\n' {
			return p + 2
		}
		return p + 1
	}
	return p
}

// unescapeLineEnd reads a backslash at the end of a line, which continues the line.
// p is after the backslash.
func (t *unitReader) unescapeLineEnd(p int, out *readings) {
	if t.text[p] == '\r' && p+1 < len(t.text) && t.text[p+1] == '\n' {
		p++
	}
	if t.text[p] == '\n' || t.text[p] == '\r' {
		out.add(softBreak, p+1)
	}
	out.add(rune(t.text[p]), p+1)
}

// unescapeUnicode reads the digits of \u0041, \U00000041, \u{41}, \x41 and \x{41}, and
// reports whether there are as many as there must be.
func (t *unitReader) unescapeUnicode(kind rune, p int, out *readings, nested, chain int) bool {
	if _, open, ok := t.character(p, func(r rune) bool { return r == '{' }, out, nested); ok {
		value, n, end := t.digits(t.afterZeros(open), 16, 6, out, nested)
		if _, closed, ok := t.character(end, func(r rune) bool { return r == '}' }, out, nested); ok && n > 0 {
			t.addDecoded(value, closed, out, nested, chain)
			return true
		}
		return false
	}

	size := 4
	switch kind {
	case 'x', 'X':
		size = 2
	case 'U':
		size = 8
	}
	value, n, end := t.digits(p, 16, size, out, nested)
	if n < size {
		if kind != 'U' {
			return false
		}
		if value, n, end = t.digits(p, 16, 4, out, nested); n < 4 {
			return false
		}
	}
	if 0xD800 <= value && value < 0xDC00 {
		t.unescapeSurrogate(value, end, out, nested)
		return true
	}
	if size == 2 {
		t.addByte(value, end, out, nested, chain)
		return true
	}
	t.addDecoded(value, end, out, nested, chain)
	return true
}

// unescapeSurrogate reads the second half of a surrogate pair.
func (t *unitReader) unescapeSurrogate(high rune, p int, out *readings, nested int) {
	_, p, ok := t.character(p, isBackslash, out, nested)
	for range maxChain {
		if !ok {
			return
		}
		_, u, isU := t.character(p, func(r rune) bool { return r|0x20 == 'u' }, out, nested)
		if isU {
			low, n, end := t.digits(u, 16, 4, out, nested)
			if n == 4 && 0xDC00 <= low && low < 0xE000 {
				out.add(fold(0x10000+(high-0xD800)<<10+(low-0xDC00)), end)
			}
			return
		}
		_, p, ok = t.character(p, isBackslash, out, nested)
	}
}

// isEscapable reports whether r can follow a backslash, other than as the beginning of
// what itself must be unescaped first.
func isEscapable(r rune) bool {
	switch r {
	case '%', '&', '=', '\\', '\n', '\r', softBreak:
		return false
	}
	return true
}

func isBackslash(r rune) bool { return r == '\\' }

func isHexDigit(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'f'
}

func isDecimalDigit(r rune) bool { return '0' <= r && r <= '9' }

func isOctalDigit(r rune) bool { return '0' <= r && r <= '7' }

func isLetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }

func isAlphanumeric(r rune) bool { return isDecimalDigit(r) || isLetter(r) }

func digitValue(r rune) rune {
	if r <= '9' {
		return r - '0'
	}
	return r | 0x20 - 'a' + 10
}
