// Package names says which text may stand as a name: of an agent, a sponsor, an account.
package names

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Unreadable returns why somebody who reads the name could take it for another one or
// not see all of it, or "" if nobody could. Refused are characters that are not seen
// and those that change how others are seen: control characters (C0 and C1), line
// and paragraph separators, marks of the direction of writing, zero-width and
// variation characters, private and unassigned ones, and bytes that are not UTF-8.
func Unreadable(name string) string {
	if !utf8.ValidString(name) {
		return "is not valid UTF-8"
	}
	for _, r := range name {
		switch {
		case unicode.IsControl(r):
			return fmt.Sprintf("holds a control character (%U)", r)
		case unicode.Is(unicode.Bidi_Control, r):
			return fmt.Sprintf("holds a mark of the direction of writing (%U)", r)
		case r == unicode.ReplacementChar:
			return "holds U+FFFD, which stands for text that was damaged"
		case !unicode.IsGraphic(r), unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			return fmt.Sprintf("holds a character that is not seen (%U)", r)
		}
	}
	return ""
}
