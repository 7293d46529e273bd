package names

import (
	"strings"
	"testing"
	"unicode"
)

func TestUnreadable(t *testing.T) {
	for _, good := range []string{"", "agent/triage", "spiffe://acme.example/agent/triage", "alice@acme.example", "Zoë Müller", "山田太郎", "מרים", "INC-1234: fix it", "a\u00a0b", "e\u0301"} {
		if why := Unreadable(good); why != "" {
			t.Errorf("%q %s, want no objection", good, why)
		}
	}
	for _, bad := range []string{
		"\x00", "\t", "\n", "\x7f", // C0
		"\u0080", "\u0085", "\u009b", "\u009f", // C1
		"\u2028", "\u2029", // separators of lines and paragraphs
		"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", // directions
		"\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\u2061", "\ufeff", "\ufff9", "\U000e0041", // other format characters
		"\u034f", "\u115f", "\u1160", "\u17b4", "\u3164", "\uffa0", "\ufe0f", "\U000e0100", // not seen, of other categories
		"\ufffd", "\ue000", "\U000f0000", "\ufffe", // damaged, private, no characters
		"\xff", "\xed\xa0\x80", // not UTF-8
	} {
		if Unreadable("ali"+bad+"ce") == "" {
			t.Errorf("a name with %q is accepted, want it refused", bad)
		}
	}
}

// FuzzUnreadable compares with the tables of Unicode, read in another way.
func FuzzUnreadable(f *testing.F) {
	f.Add("alice@acme.example")
	f.Add("ali\u202ece")
	f.Fuzz(func(t *testing.T, name string) {
		if Unreadable(name) != "" {
			return
		}
		for _, r := range name {
			if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || strings.ContainsRune("\u034f\u3164\ufffd", r) {
				t.Errorf("%q is accepted with %U", name, r)
			}
		}
	})
}
