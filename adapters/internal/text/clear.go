package text

import (
	"unicode"
	"unicode/utf8"
)

// IsClear reports whether s is valid UTF-8 without control characters and invisible format characters.
// Applications drop such characters in different ways.
func IsClear(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return hasClearRunes(s)
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// hasClearRunes is IsClear for text that is not all ASCII.
func hasClearRunes(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) {
			return false
		}
	}
	return true
}
