package mask

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// commonWords are never masked, even if one is a password: every page has them.
var commonWords = map[string]bool{
	"password": true, "changeme": true, "administrator": true, "anonymous": true, "deleted": true, "default": true, "undefined": true,
	"welcome": true, "letmein": true, "secret": true, "username": true, "session": true, "enabled": true, "disabled": true, "english": true,
}

// minSecret is the length of the shortest value that is masked, in bytes.
const minSecret = 6

// Forms returns every spelling in which applications repeat a value: as it is, percent-encoded (in both
// cases of hex digits, by encoders that encode much and little), escaped for HTML (by names and by
// numbers), for JSON and for scripts, in hex, and in base64 at any offset in the text that was encoded.
// It returns nil for values that are not masked. It takes tens of microseconds, so callers should keep
// the result.
func Forms(secret string) [][]byte {
	if len(secret) < minSecret || commonWords[strings.ToLower(secret)] {
		return nil
	}

	forms := spellings(secret)
	if plain, err := url.QueryUnescape(secret); err == nil && plain != secret && len(plain) >= minSecret {
		forms = append(forms, spellings(plain)...)
	}

	slices.Sort(forms)
	var out [][]byte
	for _, f := range slices.Compact(forms) {
		if len(f) >= minSecret {
			out = append(out, []byte(f))
		}
	}
	return out
}

// spellings returns the spellings of a value, in any order, some of them twice.
func spellings(s string) []string {
	all := []string{s}
	for _, plain := range []string{"-_.~", "-_.", "-_.!~*'()", "-_.~!$&'()*+,;=:@", "-_.~$&+=:@", "-_.~!$&'()*+,;=:@/?"} {
		e := percent(s, plain, "%%%02X")
		plus := strings.ReplaceAll(e, "%20", "+")
		all = append(all, e, percent(s, plain, "%%%02x"), plus, percent(e, plain, "%%%02X"), percent(plus, plain, "%%%02X"))
	}

	if escaped := html.EscapeString(s); escaped != s {
		for _, as := range htmlQuotes {
			all = append(all, as.Replace(escaped))
		}
	}

	if text, err := json.Marshal(s); err == nil {
		careful := string(text[1 : len(text)-1])
		bare := jsonBare.Replace(careful)
		php := jsonPHP.Replace(bare)
		all = append(all, careful, bare, php, strings.ReplaceAll(bare, "/", `\/`), strings.ReplaceAll(careful, "/", `\/`))
	}

	for _, escape := range []string{"&#%d;", "&#x%X;", "&#x%x;", "&#%03d;", `\x%02X`, `\x%02x`, `\u%04X`, `\u%04x`} {
		for _, plain := range []string{"", "-_.,", "-_.,:+ ", "-_.,:/", "-_.,:/= ", "-_.,:/=+ "} { // what encoders leave as it is
			all = append(all, percent(s, plain, escape))
		}
	}

	all = append(all, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))))
	return append(all, base64Forms(s)...)
}

// base64Forms returns the value in base64, and the digits of it that are the same whatever comes before
// and after it in the text that was encoded, as a password in "user:password" or a session id in a
// document.
func base64Forms(s string) (forms []string) {
	for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, coding.EncodeToString([]byte(s)))
		for before := range 3 {
			digits := coding.EncodeToString(append(make([]byte, before), s...))
			from, to := (before*8+5)/6, (before+len(s))*8/6
			if to-from >= minBase64 {
				forms = append(forms, digits[from:to])
			}
		}
	}
	return forms
}

// minBase64 is the length of the shortest part of base64 that is masked within other text.
const minBase64 = 10

var (
	jsonBare   = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	jsonPHP    = strings.NewReplacer("&", `\u0026`, "'", `\u0027`, "<", `\u003C`, ">", `\u003E`)
	htmlQuotes = func() (all []*strings.Replacer) {
		for _, quote := range []string{"&#34;", "&quot;", "&#x22;"} {
			for _, tick := range []string{"&#39;", "&#039;", "&#x27;", "&apos;", "'"} {
				all = append(all, strings.NewReplacer("&#34;", quote, "&#39;", tick))
			}
		}
		return all
	}()
)

// escapes are all bytes as each format writes them, by format. A format is added at its first use.
var escapes sync.Map // string → *[256]string

// escapesOf returns all bytes as a format writes them.
func escapesOf(format string) *[256]string {
	if t, ok := escapes.Load(format); ok {
		return t.(*[256]string)
	}

	var t [256]string
	for c := range t {
		t[c] = fmt.Sprintf(format, c)
	}
	escapes.Store(format, &t)
	return &t
}

// percent returns s with every byte in a format, but for letters, digits and the bytes of plain. It
// returns s itself if there is nothing to encode.
func percent(s, plain, format string) string {
	var table *[256]string
	var b []byte // nil until a byte is encoded
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(plain, c) >= 0:
			if b != nil {
				b = append(b, c)
			}
		default:
			if b == nil {
				b = append(make([]byte, 0, 2*len(s)+16), s[:i]...)
				table = escapesOf(format)
			}
			b = append(b, table[c]...)
		}
	}

	if b == nil {
		return s
	}
	return string(b)
}
