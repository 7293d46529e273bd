package cli

import (
	"testing"
	"time"
)

func TestRelativeTime(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0:                       "now",
		400 * time.Millisecond:  "now",
		-400 * time.Millisecond: "now",
		-5 * time.Second:        "5s ago",
		90 * time.Second:        "in 1m30s",
		-72 * time.Hour:         "3d ago",
	} {
		if got := RelativeTime(now.Add(d), now); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for _, c := range []struct {
		n    int
		noun string
		want string
	}{
		{0, "problem", "0 problems"},
		{1, "problem", "1 problem"},
		{2, "problem", "2 problems"},
		{1, "entry", "1 entry"},
		{2, "entry", "2 entries"},
	} {
		if got := Plural(c.n, c.noun); got != c.want {
			t.Errorf("%d %s: got %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}

// TestPrintable replaces what steers a terminal, breaks a line or hides.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, Zoë, 山田":         "plain, Zoë, 山田",
		"\x1b[31m\a\r\n\t":       "?[31m????",
		"a\u0085b\u009bc":        "a?b?c",
		"a\u2028b\u2029c":        "a?b?c",
		"a\u202eb\u2066c\u200fd": "a?b?c?d",
		"a\u200bb\u00adc\ufeffd": "a?b?c?d",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%+q: got %+q, want %+q", text, got, want)
		}
	}
}
