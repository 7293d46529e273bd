package credential

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Header judges the value of a header field, in which nobody writes prose: whatever follows the name of a scheme is a
// credential. It allocates nothing for values without one.
func Header(value string) Verdict {
	value = trimBlanks(value)
	if scheme, rest := cutScheme(value); scheme != "" && rest != "" {
		return Verdict{Kind: Scheme, What: scheme}
	}

	return judgeRuns(value)
}

// Text judges text that may be prose and may hold a credential among other words, as a line of a protocol does.
func Text(value string) Verdict {
	if v := Value(value); v.IsCredential() {
		return v
	}
	return judgeRuns(value)
}

// judgeRuns judges the parts of a value between separators.
func judgeRuns(value string) Verdict {
	start, dots := 0, 0
	for i := 0; i <= len(value); i++ {
		if i < len(value) && !separators[value[i]] {
			if value[i] == '.' {
				dots++
			}
			continue
		}
		if run := value[start:i]; mayBeToken(run, dots) {
			if v := judgeRun(run); v.IsCredential() {
				return v
			}
		}
		start, dots = i+1, 0
	}
	return Verdict{}
}

// separators are the bytes that may stand between the values in a header field.
var separators = func() (is [256]bool) {
	for c := range ' ' + 1 {
		is[c] = true
	}
	for _, c := range []byte(",;=\"':()<>|\x7f") {
		is[c] = true
	}
	return is
}()

// mayBeToken reports whether judgeRun may find something in a run with that many dots. It is quick, because it is asked
// about every word of every request.
func mayBeToken(run string, dots int) bool {
	return len(run) >= minValue && (dots >= 2 || len(run) >= minKey && keysByFirst[run[0]] != nil)
}

// Value judges the value of a parameter, a field, a key or a message, which may be prose: "Basic training" is not a
// credential. A value of asterisks alone is what the masker wrote, and not a credential; nor is an empty one.
func Value(value string) Verdict {
	if len(value) < minValue || isPlainWord(value) {
		return Verdict{}
	}
	return judgeValue(value, 0)
}

// isPlainWord reports whether a value consists of ASCII letters, digits and signs that give it no structure, and begins
// as no key does.
func isPlainWord(value string) bool {
	dots := 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '.':
			dots++
		case c <= ' ' || c >= 0x7f || c == '?' || c == '#':
			return false
		}
	}
	switch value[0] {
	case '{', '[', '"', '\'', '-':
		return false
	}
	return !mayBeToken(value, dots)
}

const (
	// minValue is the length of the shortest value that is judged, in bytes: Bearer and one letter.
	minValue = 8

	// maxNested bounds how deep values within values are read.
	maxNested = 3

	// maxJudged bounds the length of a value that is read as a whole for what it holds, in bytes. Credentials are
	// shorter; the structure of a longer one is text.
	maxJudged = 256 << 10
)

// IsMask reports whether a value is empty, or what the masker writes instead of a secret.
func IsMask(value string) bool { return strings.Trim(value, "*") == "" }

// Pair judges a parameter, a field or a key with its value: by both.
func Pair(name, value string) Verdict {
	if IsMask(value) {
		return Verdict{}
	}
	if v := Name(name); v.IsCredential() && !isPlainExcept(v.What, value) {
		return v
	}
	return Value(value)
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

func judgeValue(value string, depth int) Verdict {
	value = trimBlanks(value)
	if len(value) < minValue {
		return Verdict{}
	}
	if scheme, rest := cutScheme(value); scheme != "" && isCredentialOf(scheme, rest) {
		return Verdict{Kind: Scheme, What: scheme}
	}
	if strings.Contains(value[:min(len(value), 64)], "-----BEGIN ") && strings.Contains(value, "PRIVATE KEY-----") {
		return Verdict{Kind: Key, What: "private key in PEM"}
	}

	switch value[0] {
	case '{', '[', '"':
		if v, isJSON := judgeJSON(value, depth); isJSON {
			return v
		}
	}
	if strings.IndexFunc(value, isBlank) >= 0 {
		return Verdict{} // prose: an application takes no credential out of it
	}
	if v := judgeRuns(value); v.IsCredential() {
		return v
	}
	return judgeURL(value, depth)
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
	case "digest", "oauth", "hawk", "mac", "aws4-hmac-sha256", "snowflake", "googlelogin", "wsse":
		return strings.Contains(rest, "=")
	}
	return isWord && len(rest) >= 12 && (looksRandom(rest) || len(rest) >= 24)
}

// judgeRun judges a value without blanks by its structure.
func judgeRun(s string) Verdict {
	s = strings.Trim(s, `"'`)
	switch {
	case isJWT(s):
		return Verdict{Kind: Token, What: "JWT"}
	case isPASETO(s):
		return Verdict{Kind: Token, What: "PASETO"}
	}

	if s == "" {
		return Verdict{}
	}
	for _, i := range keysByFirst[s[0]] {
		k := &keyPrefixes[i]
		rest, ok := strings.CutPrefix(s, k.prefix)
		if ok && len(rest) >= k.least && strings.IndexFunc(rest[:k.least], func(c rune) bool { return !isKeyRune(c) }) < 0 && looksRandom(rest) {
			return Verdict{Kind: Key, What: k.prefix}
		}
	}
	return Verdict{}
}

// minKey is the length of the shortest key of keyPrefixes, in bytes.
const minKey = 12

// keysByFirst are the indexes of keyPrefixes by their first byte.
var keysByFirst = func() (by [256][]int) {
	for i := range keyPrefixes {
		first := keyPrefixes[i].prefix[0]
		by[first] = append(by[first], i)
	}
	return by
}()

func isKeyRune(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

// looksRandom reports whether a text has a digit, or letters of both cases: keys have, words have not.
func looksRandom(s string) bool {
	return strings.ContainsAny(s, "0123456789") || strings.ToLower(s) != s && strings.ToUpper(s) != s
}

// isJWT reports whether a value has the form of a signed or encrypted JWT (RFC 7519): a header, which is a JSON object
// with an algorithm in base64, and two or four further parts, of which some may be empty. It reads either alphabet.
func isJWT(s string) bool {
	head, rest, ok := strings.Cut(s, ".")
	switch {
	case !ok || !strings.Contains(rest, "."):
		return false
	case strings.HasPrefix(head, "eyJ"):
		return true // {" in base64
	}

	decoded, ok := decodeBase64(head)
	decoded = strings.TrimFunc(decoded, isBlank)
	return ok && strings.HasPrefix(decoded, "{") && (strings.Contains(decoded, `"alg"`) || strings.Contains(decoded, `"typ"`))
}

// isPASETO reports whether a value has the form of a PASETO: v1 to v4, a purpose and a payload.
func isPASETO(s string) bool {
	if len(s) < 16 || s[0] != 'v' || s[1] < '1' || s[1] > '9' {
		return false
	}
	return strings.HasPrefix(s[2:], ".local.") || strings.HasPrefix(s[2:], ".public.")
}

// decodeBase64 decodes either alphabet, with or without padding.
func decodeBase64(s string) (string, bool) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	return string(b), err == nil
}

// judgeJSON judges a value that is itself JSON, as GraphQL variables in a query are. It is false for a value that is not
// JSON.
func judgeJSON(value string, depth int) (Verdict, bool) {
	if depth >= maxNested || len(value) > maxJudged {
		return Verdict{}, false
	}
	var parsed any
	if json.Unmarshal([]byte(value), &parsed) != nil {
		return Verdict{}, false
	}
	return nested(judgeTree("", parsed, depth+1)), true
}

func judgeTree(name string, node any, depth int) Verdict {
	switch node := node.(type) {
	case map[string]any:
		for key, member := range node {
			joined := key
			if name != "" {
				joined = name + "." + key
			}
			if _, isTree := member.(map[string]any); !isTree {
				if v := judgeLeaf(joined, member); v.IsCredential() {
					return v
				}
			}
			if v := judgeTree(key, member, depth); v.IsCredential() {
				return v
			}
		}
	case []any:
		for _, member := range node {
			if v := judgeLeaf(name, member); v.IsCredential() {
				return v
			}
			if v := judgeTree(name, member, depth); v.IsCredential() {
				return v
			}
		}
	case string:
		if len(node) >= minValue {
			return judgeValue(node, depth)
		}
	}
	return Verdict{}
}

// judgeLeaf judges a member by its name. Its value is judged by judgeTree.
func judgeLeaf(name string, member any) Verdict {
	switch member := member.(type) {
	case string:
		if IsMask(member) {
			return Verdict{}
		}
		if v := Name(name); v.IsCredential() && !isPlainExcept(v.What, member) {
			return v
		}
	case float64, json.Number:
		if v := Name(name); v.IsCredential() && !isPlainExcept(v.What, "1") {
			return v
		}
	}
	return Verdict{}
}

// judgeURL judges the query, the fragment and the user information of a value that is a URL or a path with a query.
func judgeURL(value string, depth int) Verdict {
	if depth >= maxNested || len(value) > maxJudged {
		return Verdict{}
	}
	_, query, hasQuery := strings.Cut(value, "?")
	if !hasQuery {
		_, query, hasQuery = strings.Cut(value, "#")
	}
	if !hasQuery {
		return Verdict{}
	}
	for pair := range strings.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' || c == '#' || c == '?' }) {
		name, text, _ := strings.Cut(pair, "=")
		name, text = Unescape(name), Unescape(text)
		if IsMask(text) {
			continue
		}
		if v := Name(name); v.IsCredential() && !isPlainExcept(v.What, text) {
			return nested(v)
		}
		if v := judgeValue(text, depth+1); v.IsCredential() {
			return nested(v)
		}
	}
	return Verdict{}
}

func nested(v Verdict) Verdict {
	if v.Kind == None {
		return v
	}
	return Verdict{Kind: Nested, What: v.What}
}
