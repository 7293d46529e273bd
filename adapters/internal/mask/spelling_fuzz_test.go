package mask

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"net/url"
	"strings"
	"testing"
)

// encoders write as applications do. They are independent of the reader of the text.
var encoders = []struct {
	name   string
	encode func(string, *rand.Rand) string
}{
	{"query", func(s string, _ *rand.Rand) string { return url.QueryEscape(s) }},
	{"path", func(s string, _ *rand.Rand) string { return url.PathEscape(s) }},
	{"percent", func(s string, r *rand.Rand) string { return escapeSome(s, "%%%02X", "%=&", r) }},
	{"html", func(s string, _ *rand.Rand) string { return html.EscapeString(s) }},
	{"references", func(s string, r *rand.Rand) string { return escapeRunes(s, "&#%d;", "&", r) }},
	{"hex references", func(s string, r *rand.Rand) string { return escapeRunes(s, "&#x%x;", "&", r) }},
	{"json", func(s string, _ *rand.Rand) string { return jsonString(s) }},
	{"script", func(s string, r *rand.Rand) string { return escapeRunes(s, `\u%04x`, `\`, r) }},
	{"quoted-printable", func(s string, _ *rand.Rand) string { return quotedPrintable(s) }},
	{"base64", func(s string, _ *rand.Rand) string {
		return base64.StdEncoding.EncodeToString([]byte("user:" + s + ";"))
	}},
	{"hex", func(s string, _ *rand.Rand) string { return hex.EncodeToString([]byte(s)) }},
}

// escapeSome escapes bytes at random, and those of always.
func escapeSome(s, format, always string, r *rand.Rand) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] >= 128 || strings.IndexByte(always, s[i]) >= 0 || r.IntN(2) == 0 {
			fmt.Fprintf(&b, format, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func escapeRunes(s, format, always string, r *rand.Rand) string {
	var b strings.Builder
	for _, c := range s {
		if c < 0x10000 && (strings.ContainsRune(always, c) || r.IntN(2) == 0) {
			fmt.Fprintf(&b, format, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// readers undo one encoding of a whole text each.
func readersOf(text string) (read []string) {
	if s, err := url.QueryUnescape(text); err == nil {
		read = append(read, s)
	}
	if s, err := url.PathUnescape(text); err == nil {
		read = append(read, s)
	}
	read = append(read, html.UnescapeString(text))
	var s string
	if json.Unmarshal([]byte(`"`+text+`"`), &s) == nil {
		read = append(read, s)
	}
	if b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(text))); err == nil {
		read = append(read, string(b))
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil {
		read = append(read, string(b))
	}
	if b, err := hex.DecodeString(text); err == nil {
		read = append(read, string(b))
	}
	return read
}

// canRead reports whether any order of readers, up to the depth, finds the secret.
func canRead(text, secret string, depth int) bool {
	if strings.Contains(text, secret) {
		return true
	}
	if depth == 0 {
		return false
	}
	for _, s := range readersOf(text) {
		if s != text && canRead(s, secret, depth-1) {
			return true
		}
	}
	return false
}

// What an application writes in up to three encodings, one inside the other, no reader
// of them reads from what the mask leaves. Digits of base64 and hex are read if they
// are written from the secret itself, and may be escaped then.
func FuzzSpellings(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, "canary+session/1234=")
		f.Add(seed, "Gräßlich&Übel \"42\\")
	}
	f.Fuzz(func(t *testing.T, seed uint64, secret string) {
		if len(secret) < 10 || len(secret) > 60 || strings.ContainsAny(secret, "\x00\r\n\t*") || !isPrintable(secret) {
			return
		}
		if strings.Contains(secret, `\\\\`) { // a run of them has more readings than the matcher follows
			return
		}
		m := newMask([]string{secret})
		if m == nil {
			return
		}

		r := rand.New(rand.NewPCG(seed, 1))
		text, names := secret, []string{}
		depth := 1 + r.IntN(3)
		for i := range depth {
			n := len(encoders)
			if i > 0 {
				n -= 2 // digits of something that is escaped are not promised
			}
			e := encoders[r.IntN(n)]
			text = e.encode(text, r)
			names = append(names, e.name)
		}
		masked := m.Text(text)
		if len(masked) != len(text) {
			t.Fatalf("the length changed: %q became %q", text, masked)
		}
		if canRead(masked, secret, depth) {
			t.Fatalf("%q in %q is %q, masked %q, and can be read", secret, names, text, masked)
		}
	})
}

func isPrintable(s string) bool {
	for _, r := range s {
		if r == '\uFFFD' || r < ' ' || r > 0xFFFF || skipOf(r) == skipBreak {
			return false
		}
	}
	return true
}
