package cookie

import (
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Pair is the name and the value of a cookie that an agent sends.
type Pair = struct{ Name, Value string }

// CutPair splits name=value. A value is what browsers send (RFC 6265bis section 5.7.3): any text in
// UTF-8 without control characters. Quotes are part of it. It returns false for everything else, and
// for quotes that have no end, within which some readers take the next cookie for a part of this one.
func CutPair(pair string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(pair, "=")
	if !ok || !text.IsToken(name) {
		return "", "", false
	}

	quotes, escaped := 0, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c < ' ' && c != '\t' || c == 0x7f || c == ';':
			return "", "", false
		case c == '"':
			quotes++
			if i > 0 && value[i-1] == '\\' {
				escaped++
			}
		}
	}
	if !utf8.ValidString(value) || quotes%2 != 0 || escaped%2 != 0 {
		return "", "", false
	}
	return name, value, true
}

// NamesAfterCommas yields the names that readers find in a value which take a comma for the end of a
// cookie, as RFC 2109 section 4.3.4 had it.
func NamesAfterCommas(value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		_, rest, found := strings.Cut(value, ",")
		for found {
			var piece string
			piece, rest, found = strings.Cut(rest, ",")
			name, _, isPair := strings.Cut(piece, "=")
			name = strings.Trim(name, " \t")
			if isPair && text.IsToken(name) && !yield(name) {
				return
			}
		}
	}
}
