package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStringsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"plain":          `"plain"`,
		"a\"b\\c":        `"a\"b\\c"`,
		"\n\r\t\b\f\x00": `"\n\r\t\b\f\u0000"`,
		"\x7f\u0085\x1b": `"\u007f\u0085\u001b"`,
		"\u2028é世🙂":      `"\u2028é世🙂"`,
		"bad \xff\xc3":   "\"bad \uFFFD\uFFFD\"",
		"<&>":            `"<&>"`,
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestReplaceInvalidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"a\"\\\x00é世🙂":   "a\"\\\x00é世🙂",
		"\xff\xffa\xc3":  "\uFFFD\uFFFDa\uFFFD",
		"\u2028 and \a.": "\u2028 and \a.",
	} {
		if got := ReplaceInvalidUTF8(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\x00\xff\u2028\"")

	f.Fuzz(func(t *testing.T, s string) {
		form := appendString(nil, s)

		var back string
		if err := json.Unmarshal(form, &back); err != nil || !utf8.Valid(form) {
			t.Fatalf("%q is written %q, which is not JSON: %v", s, form, err)
		}
		if back != strings.ToValidUTF8(s, "\uFFFD") && utf8.ValidString(s) {
			t.Errorf("%q is written %q and read as %q", s, form, back)
		}
		if unescaped := unescape(form[1 : len(form)-1]); unescaped != back {
			t.Errorf("%q is written %q, unescaped as %q, and read by encoding/json as %q", s, form, unescaped, back)
		}
		if again := appendString(nil, back); !bytes.Equal(again, form) {
			t.Errorf("%q is written %q, and what is read from that is written %q", s, form, again)
		}
	})
}
