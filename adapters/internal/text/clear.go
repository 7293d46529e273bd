package text

import (
	"unicode"
	"unicode/utf8"
)

// IsClear is valid UTF-8 without control and invisible format characters, which applications drop in different ways.
func IsClear(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return areClearRunes(s)
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func areClearRunes(s string) bool {
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
