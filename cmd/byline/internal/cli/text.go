package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Printable replaces every character by ? that moves the cursor, breaks the line, changes
// the direction of writing or is not seen. Text that others chose goes through it,
// so that it can neither steer the terminal nor look like other text.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return '?'
		}
		return r
	}, s)
}

// Plural returns the number with its noun: "1 problem", "2 problems", "2 entries".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// RelativeTime says how far t is from now, like "in 1m30s" or "3d ago".
func RelativeTime(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	switch {
	case d == 0:
		return "now"
	case d < 0:
		return Duration(-d) + " ago"
	}
	return "in " + Duration(d)
}

// Duration returns d in its two largest units, or in days from two days on.
func Duration(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
