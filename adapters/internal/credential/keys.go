package credential

import "strings"

// keyFormat is how the keys of one issuer look.
type keyFormat struct {
	prefix string
	least  int      // bytes that follow at least
	exact  bool     // that many bytes follow, and no more
	set    alphabet // of the bytes that follow, up to least
	whole  bool     // the prefix is so short that a key is not looked for within text
}

// alphabet is a set of bytes.
type alphabet uint8

const (
	keyBytes    alphabet = iota // letters, digits, _ - and +
	dottedBytes                 // those and .
	hexBytes                    // 0 to 9 and a to f
	upperCase
	alnum
)

func (a alphabet) has(c byte) bool {
	isDigit, isLower, isUpper := '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z'
	switch a {
	case hexBytes:
		return isDigit || 'a' <= c && c <= 'f'
	case upperCase:
		return isDigit || isUpper
	case alnum:
		return isDigit || isLower || isUpper
	}
	return isDigit || isLower || isUpper || c == '_' || c == '-' || c == '+' || a == dottedBytes && c == '.'
}

// findKey returns the format of a key, or nil. inText reports that the key stands within other text, where it must be
// longer and must not look like an example.
func findKey(s string, inText bool) *keyFormat {
	if len(s) < minKey {
		return nil
	}
	for _, i := range keysByFirst[s[0]] {
		k := &keyFormats[i]
		rest, ok := strings.CutPrefix(s, k.prefix)
		if !ok || len(rest) < k.least || inText && k.whole {
			continue
		}
		if k.exact {
			rest = strings.TrimRight(rest, ".")
		}
		if k.exact && len(rest) != k.least || !consistsOnlyOf(rest[:k.least], k.set) || !looksRandom(rest) {
			continue
		}
		if !inText || looksLive(rest) {
			return k
		}
	}
	return nil
}

func consistsOnlyOf(s string, set alphabet) bool {
	for i := 0; i < len(s); i++ {
		if !set.has(s[i]) {
			return false
		}
	}
	return true
}

// minKey is the length of the shortest key of keyFormats, in bytes.
const minKey = 12

// keysByFirst are the indexes of keyFormats by their first byte.
var keysByFirst = func() (by [256][]int) {
	for i := range keyFormats {
		first := keyFormats[i].prefix[0]
		by[first] = append(by[first], i)
	}
	return by
}()

// looksRandom reports whether a text has a digit, or letters of both cases: keys have, words have not.
func looksRandom(s string) bool {
	return hasDigit(s) || isMixed(s)
}

// minLive is the length of the shortest key that is looked for within text, without its prefix.
const minLive = 16

// looksLive reports whether a key may be one that works, rather than an example in documentation: it is long, has many
// different characters, and does not say that it is an example.
func looksLive(s string) bool {
	var seen [256]bool
	different := 0
	for i := 0; i < len(s); i++ {
		if !seen[s[i]] {
			seen[s[i]] = true
			different++
		}
	}
	lower := strings.ToLower(s)
	isWords := !hasDigit(s) && strings.ContainsAny(s, "_-")
	return len(s) >= minLive && different >= 8 && !isWords && !strings.Contains(lower, "example") && !strings.Contains(lower, "xxxx") && !strings.Contains(lower, "your")
}
