package mask

// unescapeReference reads a character reference of HTML or XML, by number or name.
func (t *unitReader) unescapeReference(p int, out *readings, nested, chain int) {
	if _, number, ok := t.character(p, func(r rune) bool { return r == '#' }, out, nested); ok {
		base := rune(10)
		if _, digits, isHex := t.character(number, func(r rune) bool { return r|0x20 == 'x' }, out, nested); isHex {
			base, number = 16, digits
		}
		number = t.afterZeros(number)
		value, n, end := t.plainDigits(number, base, 12, out)
		if n > 0 {
			t.addReference(value, end, out, nested, chain)
		}
		if value, n, further := t.digits(number, base, 12, out, nested); n > 0 && further != end {
			t.addReference(value, further, out, nested, chain)
		}
		return
	}

	var name [maxEntityName + 1]byte
	n, at := 0, p
	for n <= maxEntityName {
		fits := isAlphanumeric
		if n == 0 {
			fits = isLetter // every name begins with one
		}
		c, next, ok := t.character(at, fits, out, nested)
		if n > 0 && t.semicolon > 0 { // what is one may be read as a letter, too
			end := t.semicolon
			name[n] = ';'
			if r, known := entity(name[:n+1]); known {
				t.addDecoded(r, end, out, nested, chain)
			}
		}
		if !ok || n == maxEntityName {
			return
		}

		name[n], at, n = byte(c), next, n+1
		if !mayBeOldName(name[:n]) || at < len(t.text) && t.text[at] == ';' {
			continue
		}
		if r, known := entities()[string(name[:n])]; known {
			t.addDecoded(r, at, out, nested, chain)
		}
	}
}

// addReference adds what a numeric reference stands for, whose digits end at p.
func (t *unitReader) addReference(value rune, p int, out *readings, nested, chain int) {
	end := t.afterSemicolon(p, out, nested)
	if 0x80 <= value && value < 0xA0 {
		out.add(fold(value), end)
		value = windows1252[value-0x80]
	}
	t.addDecoded(value, end, out, nested, chain)
}

func (t *unitReader) afterSemicolon(p int, out *readings, nested int) int {
	if _, end, ok := t.character(p, func(r rune) bool { return r == ';' }, out, nested); ok {
		return end
	}
	return p
}

// maxZeros bounds how many zeros before the digits of a number are skipped.
const maxZeros = 100

// afterZeros returns the offset after zeros that more digits follow.
func (t *unitReader) afterZeros(p int) int {
	for end := p + maxZeros; p < end && p+1 < len(t.text) && t.text[p] == '0' && isHexDigit(rune(t.text[p+1])); {
		p++
	}
	return p
}
