package mask

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime/quotedprintable"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// escapeAll writes every code point of s as format says.
func escapeAll(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

// escapeBytes writes every byte of s as format says.
func escapeBytes(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// escapePunctuation writes a backslash before every character of ASCII that is no letter
// and no digit, as shells and regular expressions do.
func escapePunctuation(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf && !isAlphanumeric(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func group(s string, size int, separator string) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		if i > 0 && i%size == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(r)
	}
	return b.String()
}

func quotedPrintable(s string) string {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.Repeat("y", 60) + s))
	_ = w.Close()
	return b.String()[60:]
}

func jsonString(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

func inUTF16(s string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func inUTF32(s string) string {
	var b []byte
	for _, r := range s {
		b = binary.LittleEndian.AppendUint32(b, uint32(r))
	}
	return string(b)
}

func latin1(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

// spellings are what applications make of a text.
func spellings(s string) map[string]string {
	js := jsonString(s)
	return map[string]string{
		"as it is": s, "upper case": strings.ToUpper(s), "lower case": strings.ToLower(s),
		"query": url.QueryEscape(s), "path": url.PathEscape(s), "percent, all": escapeBytes(s, "%%%02X"), "percent, lower case": escapeBytes(s, "%%%02x"),
		"percent twice": url.QueryEscape(url.QueryEscape(s)), "percent thrice, all": url.QueryEscape(url.QueryEscape(escapeBytes(s, "%%%02x"))),
		"old script": escapeAll(s, "%%u%04X"),
		"html":       html.EscapeString(s), "php html": strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#039;").Replace(html.EscapeString(s)),
		"decimal": escapeAll(s, "&#%d;"), "decimal, padded": escapeAll(s, "&#%07d;"), "hex references": escapeAll(s, "&#x%x;"), "hex, upper case": escapeAll(s, "&#X%X;"),
		"no semicolons": escapeAll(s, "&#%d"), "html twice": html.EscapeString(html.EscapeString(s)), "references twice": html.EscapeString(escapeAll(s, "&#%d;")),
		"references in query": url.QueryEscape(escapeAll(s, "&#%d;")),
		"json":                js, "json in json": jsonString(js), "json thrice": jsonString(jsonString(js)), "php json": strings.ReplaceAll(js, "/", `\/`),
		"json, all": escapeAll(s, `\u%04x`), "json, all, twice": jsonString(escapeAll(s, `\u%04X`)), "script": escapeBytes(s, `\x%02x`),
		"braces": escapeAll(s, `\u{%x}`), "octal": escapeBytes(s, `\%03o`), "octal, short": escapeBytes(s, `\%o`),
		"csv": strings.ReplaceAll(s, `"`, `""`), "sql": strings.ReplaceAll(s, "'", "''"), "sql in json": jsonString(strings.ReplaceAll(s, "'", "''")), "csv in html": html.EscapeString(strings.ReplaceAll(s, `"`, `""`)),
		"wbr, each": group(s, 1, "<wbr>"), "comments": group(s, 1, "<!-- x -->"), "bold": group(s, 1, "</b><b>"), "emphasis": group(s, 2, "</em><em>"), "style sheet": escapeAll(s, `\%x `), "style sheet, six": escapeAll(s, `\%06x`),
		"decimal, padded further": escapeAll(s, "&#%020d;"), "hex references, padded": escapeAll(s, "&#x%030X;"), "braces, padded": escapeAll(s, `\u{%012x}`),
		"style sheet, form feeds": escapeAll(s, "\\%x\f"), "style sheet, CRLF": escapeAll(s, "\\%x\r\n"), "shell": escapePunctuation(s), "shell in json": jsonString(escapePunctuation(s)),
		"json in html": html.EscapeString(escapeAll(s, `\u%04x`)), "json in query": url.QueryEscape(js),
		"quoted-printable": quotedPrintable(s), "quoted-printable, all": escapeBytes(s, "=%02X"), "query in quoted-printable": quotedPrintable(url.QueryEscape(s)),
		"soft breaks": group(s, 3, "=\r\n"), "broken escapes": group(escapeBytes(s, "%%%02X"), 4, "=\r\n"),
		"line breaks": group(s, 5, "\n"), "indented lines": group(s, 6, "\r\n    "), "soft hyphens": group(s, 2, "\u00ad"), "&shy;": group(s, 2, "&shy;"),
		"zero width": group(s, 1, "\u200b"), "groups": group(s, 4, " "), "dashes": group(s, 4, "-"), "wbr": group(s, 5, "<wbr>"), "marked": group(s, 4, `<span class="x">`),
		"base64": base64.StdEncoding.EncodeToString([]byte(s)), "base64 url": base64.URLEncoding.EncodeToString([]byte(s)),
		"base64 in lines": group(base64.StdEncoding.EncodeToString([]byte(s)), 8, "\r\n"), "base64 in json": jsonString(base64.StdEncoding.EncodeToString([]byte(s))),
		"base64 in query": url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))), "base64 twice": base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s)))),
		"base64 of json in ascii": base64.StdEncoding.EncodeToString([]byte(inJSON(s))), "base64 of json with slashes": base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(inJSON(s), "/", `\/`))),
		"base64 of utf-16": base64.StdEncoding.EncodeToString([]byte(inUTF16(s, false))),
		"base32":           base32.StdEncoding.EncodeToString([]byte(s)), "base32 lower": strings.ToLower(base32.StdEncoding.EncodeToString([]byte(s))),
		"base32 in groups": group(base32.StdEncoding.EncodeToString([]byte(s)), 4, " "), "base32 dashes": group(base32.StdEncoding.EncodeToString([]byte(s)), 4, "-"),
		"hex": hex.EncodeToString([]byte(s)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(s))), "hex dump": escapeBytes(s, "%02x "), "hex colons": escapeBytes(s, "%02X:"),
		"hex array": escapeBytes(s, "0x%02x, "), "hex groups": group(hex.EncodeToString([]byte(s)), 4, " "), "utf-16": inUTF16(s, false), "utf-16 big": inUTF16(s, true), "utf-32": inUTF32(s),
	}
}

// inJSON writes s as encoders do that escape whatever is not ASCII, without the quotes.
func inJSON(s string) string {
	quoted := strconv.QuoteToASCII(s)
	return quoted[1 : len(quoted)-1]
}

// visible is what is left of a masked text besides asterisks, padding and blanks.
func visible(b []byte) string {
	rest := strings.NewReplacer("%3D", "", "0x*", "*").Replace(string(b))
	return strings.Trim(rest, "*=\r\n ,:;\x00>")
}

func TestI1SpellingsAreMasked(t *testing.T) {
	for _, secret := range []string{
		"canary-session/1234+5678", `p<a&s's/w"o+r\d é`, "Gräßlich&Übel42", "пароль-секрет-77", "4f9a81c2d3e4b5a697", "JBSWY3DPEHPK3PXPJBSWY3DP", "s%3AqJ8rT2mWx.Zk4%2FpL9",
	} {
		m := newMask([]string{secret})
		for name, text := range spellings(secret) {
			body := []byte("before [" + text + "] after")
			size := len(body)
			m.InPlace(body)
			if len(body) != size || !bytes.HasPrefix(body, []byte("before [")) {
				t.Errorf("%q, %s: the text around it changed: %q", secret, name, body)
			}
			if rest := visible(bytes.TrimSuffix(body[len("before ["):], []byte("] after"))); rest != "" {
				t.Errorf("%q, %s: %q became %q, of which %q can be read", secret, name, text, body, rest)
			}
		}
	}
}

func TestI1ATextThatIsNotUTF8IsMasked(t *testing.T) {
	const secret = "Gräßlich&Übel42"
	m := newMask([]string{secret})
	for name, text := range map[string]string{
		"latin-1": latin1(secret), "latin-1, percent": escapeBytes(latin1(secret), "%%%02X"), "latin-1, script": escapeBytes(latin1(secret), `\x%02x`),
		"names": "Gr&auml;&szlig;lich&amp;&Uuml;bel42", "decomposed": "Gra\u0308ßlich&U\u0308bel42", "twice decoded": latin1toUTF8(secret),
		"latin-1, base64": base64.StdEncoding.EncodeToString([]byte(latin1(secret))),
		"latin-1, base32": base32.StdEncoding.EncodeToString([]byte(latin1(secret))), "latin-1, hex": hex.EncodeToString([]byte(latin1(secret))),
		"utf-16, base32": base32.StdEncoding.EncodeToString([]byte(inUTF16(secret, false))), "utf-16, hex": hex.EncodeToString([]byte(inUTF16(secret, false))),
	} {
		b := []byte(text)
		if m.InPlace(b); visible(b) != "" {
			t.Errorf("%s: %q became %q", name, text, b)
		}
	}
}

// latin1toUTF8 is what comes of UTF-8 that is taken for Latin-1.
func latin1toUTF8(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func TestI1MaskInsideOtherText(t *testing.T) {
	const secret = "p+a/s=s w0rd-longer"
	m := newMask([]string{secret})
	for before := range 7 {
		whole := strings.Repeat("u", before) + secret + ":z"
		for _, c := range []struct {
			name, text string
			digits     float64 // for a byte
		}{
			{"base64", base64.StdEncoding.EncodeToString([]byte(whole)), 8. / 6}, {"base64 url", base64.URLEncoding.EncodeToString([]byte(whole)), 8. / 6},
			{"base32", base32.StdEncoding.EncodeToString([]byte(whole)), 8. / 5}, {"hex", hex.EncodeToString([]byte(whole)), 2},
		} {
			b := []byte(c.text)
			m.InPlace(b)
			if stars := bytes.Count(b, []byte("*")); stars < int(c.digits*float64(len(secret))) {
				t.Errorf("%s, %d before: only %d of %d digits are masked: %s", c.name, before, stars, len(b), b)
			}
		}
	}
}

// What precedes a secret must not take a part of it away: the agent chooses it.
func TestI1TextBeforeASecretDoesNotHideIt(t *testing.T) {
	for _, secret := range []string{"4f9a81c2d3e4b5a697", "nightly-build&deploy", "amp;lifier-of-secrets", "u0041-and-more-of-it", "25252525abcdef99"} {
		m := newMask([]string{secret})
		for _, before := range []string{"%", "%2", "\\", "\\\\", "\\u00", "&", "&#", "&#x", "=", "=\n", "%25", "&amp;", "\\x", "%u", strings.Repeat("\\", 100), strings.Repeat("%25", 50), "\xc3", "0x", "-"} {
			for name, text := range map[string]string{"as it is": secret, "html": html.EscapeString(secret), "query": url.QueryEscape(secret)} {
				b := []byte(before + text)
				if m.InPlace(b); strings.ContainsAny(strings.TrimLeft(string(b[len(before):]), "*"), "abcdefghijklmnopqrstuvwxyz0123456789") {
					t.Errorf("%q after %q, %s: %q", secret, before, name, b)
				}
			}
		}
	}
}

func TestI1MaskOverlap(t *testing.T) {
	m := newMask([]string{"abcdefgh", "efghijkl", "abcdefghijklmnop", "zzzzzz"})
	for in, want := range map[string]string{
		"abcdefghijkl": "************", "xabcdefghijklmnopx": "x****************x", "zzzzzzz.zzzzz": "***********zz",
		"abcdefgabcdefgh": "abcdefg********", "": "", "abc": "abc",
	} {
		b := []byte(in)
		if m.InPlace(b); string(b) != want {
			t.Errorf("%q became %q, want %q", in, b, want)
		}
	}
}

func TestI1PartsOfStructuredValuesAreMasked(t *testing.T) {
	m := newMask([]string{
		"s%3A7f3kQ9zLmX2pR8vTaaaa.kJ8sLw9tRm5yZp1dNqVbXcYz0", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiJ9abcdefgh.SflKxwRJSMeKKF2QT4fwpMeJf36P",
		"otpauth://totp/acme:alice?secret=JBSWY3DPEHPK3PXP&issuer=acme",
	})
	for _, text := range []string{
		"kJ8sLw9tRm5yZp1dNqVbXcYz0", "7f3kQ9zLmX2pR8vTaaaa", "SflKxwRJSMeKKF2QT4fwpMeJf36P", "JBSW Y3DP EHPK 3PXP", "jbsw-y3dp-ehpk-3pxp", "48656c6c6f21deadbeef48656c6c6f21deadbeef"[:20],
	} {
		b := []byte("(" + text + ")")
		if m.InPlace(b); visible(b[1:len(b)-1]) != "" {
			t.Errorf("%q became %q", text, b)
		}
	}

	b := []byte("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJvdGhlciJ9")
	if m.InPlace(b); bytes.ContainsRune(b, '*') {
		t.Errorf("the head of every token is masked: %q", b)
	}
}

func TestI1TheBeginningOfASecretIsMasked(t *testing.T) {
	const secret = "canary-session-1234567890"
	m := newMask([]string{secret})
	for text, want := range map[string]string{
		"x canary-session-1…": "x ****************…", // half of it and more, wherever it stands
		"x canary-session-1":  "x ****************",  // at the end of the text
		"x canary-se":         "x canary-se",         // a guess
	} {
		b := []byte(text)
		if m.InPlace(b); string(b) != want {
			t.Errorf("%q became %q, want %q", text, b, want)
		}
	}
}

func TestI1TheEndOfASecretIsMasked(t *testing.T) {
	const secret = `H8kq"pä7vZ&w!x2Lm-94fT`
	m := newMask([]string{secret})
	runes := []rune(secret)
	for cut := range len(runes) / 2 {
		end := string(runes[cut:])
		for name, text := range map[string]string{
			"as it is": end, "json": jsonString(end), "query": url.QueryEscape(end), "references": escapeAll(end, "&#%d;"), "all percent": escapeBytes(end, "%%%02X"),
			"tags": group(end, 4, "<br>"), "hex": hex.EncodeToString([]byte(end)),
		} {
			b := []byte("x [" + text + "] y")
			m.InPlace(b)
			if rest := visible(b[3 : len(b)-3]); rest != "" {
				t.Errorf("without the first %d, %s: %q became %q", cut, name, text, b)
			}
		}
	}

	b := []byte("x " + string(runes[len(runes)-9:]))
	before := string(b)
	if m.InPlace(b); string(b) != before {
		t.Errorf("%q, less than half, became %q", before, b)
	}
}

func TestMaskLeavesWords(t *testing.T) {
	if m := newMask([]string{"", "short", "password", "Administrator"}); m != nil {
		t.Error("words of every page would be masked")
	}
	var none *Mask
	r := strings.NewReader("x")
	if none.InPlace([]byte("x")); none.Reader(r) != io.Reader(r) || none.Text("x") != "x" {
		t.Error("a nil Mask changes something")
	}
	if _, found := none.Find([]byte("x")); found {
		t.Error("a nil Mask finds something")
	}
}

func TestTextWithoutSecretsIsUnchanged(t *testing.T) {
	m := newMask(benchSecrets)
	p := page()
	before := bytes.Clone(p)
	if m.InPlace(p); !bytes.Equal(p, before) {
		t.Error("a page without secrets was changed")
	}
}

func TestNotesNameWhatWasMasked(t *testing.T) {
	m := New([]*Pattern{Compile("canary-session-1234", "the cookie sid"), Compile("another-secret-99", "password")})
	var notes Notes
	v := Masker{sent: m, notes: &notes}
	for range 2 {
		v.Text("x canary-session-1234 x")
	}
	if got := notes.Take(); len(got) != 1 || got[0] != "the cookie sid" {
		t.Errorf("Take returned %q", got)
	}
	if got := notes.Take(); len(got) != 0 {
		t.Errorf("the second Take returned %q", got)
	}
}

// newMask returns nil if there is nothing to mask.
func newMask(secrets []string) *Mask {
	var patterns []*Pattern
	for _, s := range secrets {
		patterns = append(patterns, Compile(s, s))
	}
	return New(patterns)
}
