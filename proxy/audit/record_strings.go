package audit

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// needsNoEscape tells which bytes stand for themselves in a string: ASCII
// without controls, quote and backslash.
var needsNoEscape = func() (table [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// appendString appends s as a JSON string (RFC 8259, section 7) in the only form
// that a log holds:
//
//   - the short escapes;
//   - \u00xx for other control characters (C0, DEL and C1, so that a line is safe
//     on a terminal);
//   - \u2028 and \u2029, where some readers end a line;
//   - U+FFFD in place of each byte that is not UTF-8;
//   - every other character as itself.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')

	start := 0 // of what stands for itself and is not copied yet
	for i := 0; i < len(s); {
		b := s[i]
		if needsNoEscape[b] {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, b)
			i++
			start = i
			continue
		}

		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + n
		case r < 0xa0, r == 0x2028, r == 0x2029:
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + n
		}
		i += n
	}

	dst = append(dst, s[start:]...)

	return append(dst, '"')
}

// appendEscape appends the escape of an ASCII character.
func appendEscape(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}

	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
}

// escapeLength returns the length of the escape at the beginning of b, or 0 if
// appendString does not write such an escape.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}

	if len(b) < 6 {
		return 0
	}
	r := rune(0)
	for _, d := range b[2:6] {
		digit := bytes.IndexByte([]byte(hexDigits), d)
		if digit < 0 {
			return 0
		}
		r = r<<4 | rune(digit)
	}

	switch {
	case r == '\b', r == '\f', r == '\n', r == '\r', r == '\t':
		return 0 // these have a short escape
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029:
		return 6
	}

	return 0
}

// unescape returns the string that stands as raw between its quotes in a line
// that scanLine accepted.
func unescape(raw []byte) string {
	s := string(raw)
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}

	out := make([]byte, 0, len(s))
	for ; at >= 0; at = strings.IndexByte(s, '\\') {
		out = append(out, s[:at]...)
		length := 2
		switch s[at+1] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := strconv.ParseUint(s[at+2:at+6], 16, 16)
			out = utf8.AppendRune(out, rune(r))
			length = 6
		default:
			out = append(out, s[at+1])
		}
		s = s[at+length:]
	}

	return string(append(out, s...))
}

// ReplaceInvalidUTF8 returns s as a reader of the log gets it back, with U+FFFD
// in place of each byte that is not UTF-8.
func ReplaceInvalidUTF8(s string) string {
	form := appendString(nil, s)

	return unescape(form[1 : len(form)-1])
}
