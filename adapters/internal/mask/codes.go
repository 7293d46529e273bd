package mask

// Every byte has one of 64 codes: letters in both cases and digits have one each, and so
// have the bytes by which something other than a plain unit begins.
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

// codeOf returns the code of a unit, or of the first byte of it.
func codeOf(unit rune) uint8 {
	if unit >= 128 {
		return codeHigh
	}
	return codes[unit]
}

// mayFollow tells by the code of an introducer, less codePercent, and the code of what
// follows it whether an escape can begin there.
var mayFollow = func() (table [4][64]bool) {
	for i := range table {
		follow(uint8(codePercent+i), func(c uint8) { table[i][c] = true })
	}
	return table
}()

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

// isHexCode reports whether a hex digit, or the beginning of an escaped one, has the
// code.
func isHexCode(c uint8) bool {
	return c < codeLetter+6 || codeDigit <= c && c <= codeHigh
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
