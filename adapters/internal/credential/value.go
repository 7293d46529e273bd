package credential

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Value judges the value of a parameter, a field, a key or a message. Text that is read by people is judged by the tokens
// and keys in it, and not by its words: "Basic training" is not a credential. A value of asterisks alone is what the
// masker wrote, and not a credential; nor is an empty one.
func Value(value string) Verdict { return judgeValue(value, 0) }

// Text is Value for text that a program reads, as a line of a protocol: a token in it need not look as if it worked.
func Text(value string) Verdict {
	if v := Value(value); v.IsCredential() {
		return v
	}
	v, _ := judgeRuns(value, false)
	return v
}

// Header judges the value of a header field, in which nobody writes prose: whatever follows the name of a scheme is a
// credential. It allocates nothing for values without one.
func Header(value string) Verdict { return judgeHeader(value, 0) }

// judgeHeader judges a value that was percent-decoded depth times.
func judgeHeader(value string, depth int) Verdict {
	value = trimBlanks(value)
	if scheme, rest := cutScheme(value); scheme != "" && rest != "" {
		return Verdict{Kind: Scheme, What: scheme}
	}
	if len(value) < minValue {
		return Verdict{}
	}

	v, signs := judgeRuns(value, false)
	if v.IsCredential() {
		return v
	}
	if v := judgeParts(value); v.IsCredential() {
		return v
	}
	if signs&signPercent != 0 && depth < maxNested {
		if plain := Unescape(value); len(plain) < len(value) {
			if v := judgeHeader(plain, depth+1); v.IsCredential() {
				return v
			}
		}
	}
	if signs&signOpen != 0 && strings.ContainsAny(value, "{[") {
		if v, isJSON := judgeJSON(value, 0); isJSON {
			return v
		}
	}
	switch {
	case signs&signBlank == 0:
		return judgeWhole(value, signs, 0)
	case signs&(signQuery|signHash|signAt|signPercent) != 0:
		for word := range strings.FieldsFuncSeq(value, func(c rune) bool { return isBlank(c) || strings.ContainsRune("<>,\"()", c) }) {
			if v := judgeWord(word); v.IsCredential() {
				return v
			}
		}
	}
	if signs&signEquals != 0 {
		return judgePairs(value)
	}
	return Verdict{}
}

// judgeParts judges the elements, quoted strings, comments and parameters of a header field as HTTP credentials, as in
// 199 - "Bearer x" (RFC 9110 section 5.6).
func judgeParts(value string) Verdict {
	start := 0
	for i := 0; i <= len(value); i++ {
		if i < len(value) && !strings.ContainsRune(partEnds, rune(value[i])) {
			continue
		}
		part := trimBlanks(value[start:i])
		start = i + 1
		if len(part) < minValue {
			continue
		}
		if scheme, rest := cutScheme(part); scheme != "" && isCredentialOf(scheme, rest) {
			return Verdict{Kind: Scheme, What: scheme}
		}
	}
	return Verdict{}
}

// partEnds are the characters around the parts of a header field.
const partEnds = ",;:=\"'()<>[]{}"

// judgeWord judges one word of a header field.
func judgeWord(word string) Verdict {
	if len(word) < minValue {
		return Verdict{}
	}
	v, signs := judgeRuns(word, false)
	if v.IsCredential() {
		return v
	}
	return judgeWhole(word, signs, 0)
}

// Segment judges a segment of a path: by the tokens and keys that it is. What a framework sealed is not a credential
// there, because links to files are sealed too.
func Segment(segment string) Verdict {
	if len(segment) < minValue {
		return Verdict{}
	}
	switch {
	case isASPSegment(segment):
		return Verdict{Kind: Token, What: "ASP.NET"}
	case isTelegramKey(strings.TrimPrefix(segment, "bot")):
		return Verdict{Kind: Key, What: "key of a Telegram bot"}
	}
	v := Value(segment)
	if v.Kind == Sealed {
		return Verdict{}
	}
	return v
}

// IsMask reports whether a value is empty, or what the masker writes instead of a secret.
func IsMask(value string) bool { return strings.Trim(value, "*") == "" }

// Pair judges a parameter, a field or a key with its value: by both. A name may also be a token or a key itself.
func Pair(name, value string) Verdict {
	if len(name) >= minNamed {
		if v := Value(name); v.Kind == Token || v.Kind == Key || v.Kind == Scheme {
			return v
		}
	}
	if IsMask(value) {
		return Verdict{}
	}
	if v := ByName(name, value); v.IsCredential() {
		return v
	}

	v := Value(value)
	if v.Kind == Sealed && isForgeryToken(name) {
		return Verdict{} // frameworks seal these tokens as they seal sessions
	}
	return v
}

// ByName judges a parameter, a field or a key by its name, for a value that is judged elsewhere.
func ByName(name, value string) Verdict {
	if IsMask(value) {
		return Verdict{}
	}
	if v := Name(name); v.IsCredential() && !isPlainValue(v.What, value) {
		return v
	}
	return Verdict{}
}

// FieldPair judges a header field by its value, with regard to its name: see Pair.
func FieldPair(name, value string) Verdict {
	v := Header(value)
	if v.Kind == Sealed && isForgeryToken(name) {
		return Verdict{}
	}
	return v
}

const (
	// minNamed is the length of the shortest name that is judged as a value, in bytes.
	minNamed = 16

	// minValue is the length of the shortest value that is judged, in bytes: Bearer and one letter.
	minValue = 8

	// maxNested bounds how deep values within values are read.
	maxNested = 4

	// maxJudged bounds the length of a value that is read as a whole for what it holds, in bytes. Credentials are
	// shorter; the structure of a longer one is text.
	maxJudged = 256 << 10
)

// isPlainValue reports whether a value makes a name harmless that is a credential's for some values alone.
func isPlainValue(word, value string) bool {
	switch word {
	case "code":
		return !looksLikeCode(value)
	case "pin":
		return len(value) < minPIN || !consistsOf(value, '0', '9', maxPIN)
	}
	return isPlainExcept(word, value)
}

// Lengths of a PIN, in digits.
const (
	minPIN = 4
	maxPIN = 12
)

// Lengths of an authorization code (RFC 6749 section 4.1.2), in bytes.
const (
	minCode = 16
	maxCode = 4096
)

// looksLikeCode reports whether a value looks like an authorization code rather than the code of a country, a product or
// a program: a part of it has at least twelve characters, with letters and digits among them.
func looksLikeCode(value string) bool {
	if len(value) < minCode || len(value) > maxCode {
		return false
	}
	found := false
	for part := range strings.FieldsFuncSeq(value, func(c rune) bool { return strings.ContainsRune("-_./~+=:%", c) }) {
		if !consistsOnlyOf(part, alnum) {
			return false
		}
		found = found || len(part) >= 12 && (isMixed(part) || hasDigit(part) && strings.Trim(part, "0123456789") != "")
	}
	return found
}

// IsShortCode reports whether the value of a parameter called code may be an authorization code if a state stands with
// it (RFC 6749 section 4.1.2): it has six characters or more, letters and digits among them.
func IsShortCode(value string) bool {
	return len(value) >= minPaired && consistsOnlyOf(value, dottedBytes) && strings.Trim(value, "0123456789") != "" && looksRandom(value)
}

// isPlainExcept reports whether a name of plainExcept has a plain value: up to ten digits, PROJ or PROJ-123.
func isPlainExcept(word, value string) bool {
	if !slices.Contains(plainExcept, word) {
		return false
	}

	project, number, hasBoth := strings.Cut(value, "-")
	switch {
	case hasBoth:
		return consistsOf(project, 'A', 'Z', maxProject) && consistsOf(number, '0', '9', maxNumber)
	case value != "" && value[0] <= '9':
		return consistsOf(value, '0', '9', maxNumber)
	}
	return consistsOf(value, 'A', 'Z', maxProject)
}

// Lengths of the parts of a plain key, in bytes.
const (
	maxProject = 6
	maxNumber  = 10
)

// consistsOf reports whether s has 1 to longest bytes, all of them between first and last.
func consistsOf(s string, first, last byte, longest int) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < first || s[i] > last {
			return false
		}
	}
	return s != "" && len(s) <= longest
}

// judgeValue judges a value that stands within depth others.
func judgeValue(value string, depth int) Verdict {
	value = trimBlanks(value)
	if len(value) < minValue {
		return Verdict{}
	}

	v, signs := judgeRuns(value, true)
	switch {
	case v.IsCredential():
		return v
	case signs&signBlank == 0 && signs&^(signColon|signTilde) == 0 && len(value) < minEncoded:
		return Verdict{} // a word
	}

	if signs&signBlank != 0 {
		if scheme, rest := cutScheme(value); scheme != "" && isCredentialOf(scheme, rest) {
			return Verdict{Kind: Scheme, What: scheme}
		}
		if strings.Contains(value, "-----BEGIN ") && strings.Contains(value, "PRIVATE KEY") {
			return Verdict{Kind: Key, What: "private key in PEM"}
		}
	}
	switch value[0] {
	case '{', '[', '"':
		if v, isJSON := judgeJSON(value, depth); isJSON {
			return v
		}
	}
	if signs&signBlank == 0 {
		return judgeWhole(value, signs, depth)
	}
	if signs&signEquals != 0 && isCookieList(value) {
		return judgePairs(value)
	}
	return Verdict{} // text, of which an application takes tokens and keys at most
}

// isCookieList reports whether a value with blanks is written as a Cookie field is.
func isCookieList(value string) bool {
	if len(value) > maxJudged {
		return false
	}
	for pair := range strings.SplitSeq(value, ";") {
		name, text, isPair := strings.Cut(strings.TrimSpace(pair), "=")
		if !isPair && name != "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(text, " \t\n") {
			return false
		}
	}
	return true
}

// isBlank reports whether an application may skip c around a value. It takes more than ASCII's blanks.
func isBlank(c rune) bool {
	if c < utf8.RuneSelf {
		return c <= ' ' || c == 0x7f
	}
	return unicode.IsSpace(c) || unicode.Is(unicode.Cf, c)
}

// trimBlanks removes blanks around a value.
func trimBlanks(s string) string {
	if s == "" || isGraphic(s[0]) && isGraphic(s[len(s)-1]) {
		return s
	}
	return strings.TrimFunc(s, isBlank)
}

// isGraphic reports whether a byte is a visible character of ASCII.
func isGraphic(c byte) bool { return ' ' < c && c < 0x7f }

// cutScheme returns the scheme that a value begins with, and what follows it. Any white space, and more than one, may
// stand between them.
func cutScheme(value string) (scheme, rest string) {
	i := 0
	for i < len(value) && i <= maxScheme && isGraphic(value[i]) {
		i++
	}
	if i == 0 || i >= len(value) || i > maxScheme {
		return "", ""
	}
	if c, _ := utf8.DecodeRuneInString(value[i:]); !isBlank(c) {
		return "", ""
	}
	for _, known := range schemes {
		if len(known) == i && strings.EqualFold(known, value[:i]) {
			return known, strings.TrimFunc(value[i:], isBlank)
		}
	}
	return "", ""
}

// isScheme reports whether a word is the name of a scheme.
func isScheme(word string) bool {
	return slices.ContainsFunc(schemes, func(known string) bool { return strings.EqualFold(known, word) })
}

// maxScheme is the length of the longest of schemes, in bytes.
var maxScheme = func() (longest int) {
	for _, s := range schemes {
		longest = max(longest, len(s))
	}
	return longest
}()

// isCredentialOf reports whether rest is a credential of a scheme, and not the end of a title that begins with the word.
func isCredentialOf(scheme, rest string) bool {
	isWord := strings.IndexFunc(rest, isBlank) < 0
	switch scheme {
	case "bearer", "dpop":
		return isWord && rest != ""
	case "basic":
		decoded, ok := decodeBase64(rest)
		return ok && strings.Contains(decoded, ":")
	case "digest", "oauth", "hawk", "mac", "aws4-hmac-sha256", "snowflake", "googlelogin", "wsse", "sharedaccesssignature":
		return strings.Contains(rest, "=")
	}
	return isWord && len(rest) >= 12 && (looksRandom(rest) || len(rest) >= 24)
}
