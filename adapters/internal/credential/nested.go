package credential

import (
	"encoding/json"
	"slices"
	"strings"
)

// judgeWhole judges a value without blanks that no list knew, by its structure as a whole and by what it holds.
func judgeWhole(s string, signs sign, depth int) Verdict {
	switch {
	case isJWT(s):
		return Verdict{Kind: Token, What: "JWT"}
	case signs&signColon != 0 && isTelegramKey(s):
		return Verdict{Kind: Key, What: "key of a Telegram bot"}
	case signs&signTilde != 0 && strings.HasPrefix(s, "sha256~") && len(s) >= 40:
		return Verdict{Kind: Key, What: "sha256~"}
	case signs&signTilde != 0 && isAzureSecret(s):
		return Verdict{Kind: Key, What: "client secret of Microsoft Entra"}
	}
	if framework := sealedBy(s); framework != "" {
		return Verdict{Kind: Sealed, What: framework}
	}
	if depth >= maxNested || len(s) > maxJudged {
		return Verdict{}
	}

	if v := judgeBase64(s, depth); v.IsCredential() {
		return v
	}
	if signs&signPercent != 0 {
		if plain := Unescape(s); plain != s {
			if v := judgeValue(plain, depth+1); v.IsCredential() {
				return v
			}
		}
	}
	if signs&signPlus != 0 && isScheme(s[:strings.IndexByte(s, '+')]) {
		return judgeValue(strings.ReplaceAll(s, "+", " "), depth+1)
	}
	if signs&(signQuery|signHash|signAt|signEquals) == 0 {
		return Verdict{}
	}
	if v := judgeUserInfo(s); v.IsCredential() {
		return v
	}
	if v := judgeURL(s, depth); v.IsCredential() {
		return v
	}
	return judgePairs(s)
}

// judgeBase64 judges what a value is the base64 of: a token, an HTTP credential, JSON, an assertion of SAML. Names in it
// are not judged: what agents upload is base64 of files of all kinds.
func judgeBase64(s string, depth int) Verdict {
	var buf [peeked]byte
	head, ok := peekBase64(s, &buf)
	if !ok {
		return Verdict{}
	}
	if isSPNEGO(string(head)) {
		return Verdict{Kind: Token, What: "SPNEGO, Kerberos or NTLM"}
	}
	for _, c := range head {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return Verdict{}
		}
	}

	decoded, ok := decodeBase64(s)
	switch {
	case !ok:
		return Verdict{}
	case isSAML(decoded):
		return Verdict{Kind: Token, What: "SAML assertion"}
	}
	switch decoded[0] {
	case '{', '[', '"':
		return judgeLeaves(decoded, depth)
	}
	return judgeValue(decoded, depth+1)
}

// judgeUserInfo judges the user information of a URL: a user with a password is a credential.
func judgeUserInfo(s string) Verdict {
	_, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return Verdict{}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	i := strings.LastIndexByte(rest[:end], '@')
	if i < 0 {
		return Verdict{}
	}
	_, password, hasPassword := strings.Cut(rest[:i], ":")
	if hasPassword && !IsMask(password) {
		return Verdict{Kind: Nested, What: "user information of a URL"}
	}
	return Verdict{}
}

// judgeURL judges the query and the fragment of a value that is a URL or a path with a query, as those of a request.
func judgeURL(value string, depth int) Verdict {
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
		if v := Name(name); v.IsCredential() && !isPlainValue(v.What, text) {
			return nested(v)
		}
		if v := judgeValue(text, depth+1); v.IsCredential() {
			return nested(v)
		}
	}
	return Verdict{}
}

// minPaired is the length of the shortest value of a pair within a value that is judged by the pair's name, in bytes.
const minPaired = 6

// judgePairs judges a value that is a pair itself, as PHPSESSID=… is, or a list of pairs, as a Cookie field or a form
// is. What follows the sign must look like a secret, because expressions and queries also have = in them.
func judgePairs(s string) Verdict {
	if !strings.Contains(s, "=") {
		return Verdict{}
	}
	for pair := range strings.FieldsFuncSeq(s, isPairSeparator) {
		name, text := cutPair(pair)
		if len(text) < minPaired || !isTokenName(name) || IsMask(text) {
			continue
		}
		v := Name(name)
		if v.IsCredential() && !slices.Contains(plainExcept, v.What) && (looksRandom(text) || len(text) >= minLive) {
			return nested(v)
		}
	}
	return Verdict{}
}

// cutPair returns the name and the value of a pair, without what stands before the name and without quotes.
func cutPair(pair string) (name, value string) {
	name, value, _ = strings.Cut(strings.TrimSpace(pair), "=")
	if i := strings.LastIndexAny(name, ":?# \t"); i >= 0 {
		name = name[i+1:]
	}
	return name, strings.Trim(value, `"`)
}

func isPairSeparator(c rune) bool { return c == ';' || c == '&' || c == ',' }

// isTokenName reports whether a text may be the name of a cookie or of a field.
func isTokenName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !dottedBytes.has(s[i]) && strings.IndexByte("[]$!%", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// PairNames calls yield with the names of the pairs that a value is or holds, for a caller that knows further names of
// credentials. Values that look like no secret are left out.
func PairNames(value string, yield func(name string) bool) {
	for range maxNested {
		if strings.IndexByte(value, '%') < 0 {
			break
		}
		plain := Unescape(value)
		if plain == value {
			break
		}
		value = plain
	}
	if !strings.Contains(value, "=") {
		return
	}
	for pair := range strings.FieldsFuncSeq(value, isPairSeparator) {
		name, text := cutPair(pair)
		if len(text) >= minPaired && isTokenName(name) && !IsMask(text) && !yield(name) {
			return
		}
	}
}

// judgeJSON judges a value that is itself JSON, as GraphQL variables in a query are. It is false for a value that is not
// JSON.
func judgeJSON(value string, depth int) (Verdict, bool) {
	if depth >= maxNested || len(value) > maxJudged {
		return Verdict{}, false
	}
	if !json.Valid([]byte(value)) {
		return Verdict{}, false
	}
	w := jsonWalk{decoder: json.NewDecoder(strings.NewReader(value)), depth: depth + 1, judgesNames: true}
	w.decoder.UseNumber()
	return nested(w.value("", "")), true
}

// judgeLeaves judges the values in a text that is JSON.
func judgeLeaves(text string, depth int) Verdict {
	if depth >= maxNested || !json.Valid([]byte(text)) {
		return Verdict{}
	}
	w := jsonWalk{decoder: json.NewDecoder(strings.NewReader(text)), depth: depth + 1}
	w.decoder.UseNumber()
	return nested(w.value("", ""))
}

// minSentence is how many blanks make a value a sentence.
const minSentence = 2

// jsonWalk reads JSON token by token, so that it sees every key of an object that has one twice.
type jsonWalk struct {
	decoder     *json.Decoder
	depth       int
	judgesNames bool
}

// value judges the next value. key is the key that it stands at, and above that of the object around it: {"session":
// {"id": …}} is a session id.
func (w *jsonWalk) value(key, above string) Verdict {
	token, err := w.decoder.Token()
	if err != nil {
		return Verdict{}
	}
	switch token := token.(type) {
	case json.Delim:
		return w.members(token, key)
	case string:
		if v := w.name(key, above, token); v.IsCredential() {
			return v
		}
		if len(token) >= minValue {
			return judgeValue(token, w.depth)
		}
	case json.Number:
		return w.name(key, above, token.String())
	}
	return Verdict{}
}

// members judges what follows the beginning of an object or a list.
func (w *jsonWalk) members(open json.Delim, key string) Verdict {
	for w.decoder.More() {
		at, above := key, ""
		if open == '{' {
			token, err := w.decoder.Token()
			name, isName := token.(string)
			if err != nil || !isName {
				return Verdict{}
			}
			at, above = name, key
		}
		if v := w.value(at, above); v.IsCredential() {
			return v
		}
	}
	_, _ = w.decoder.Token()
	return Verdict{}
}

// name judges a member by its key, and by its key and the one above. A sentence is not a credential, whatever its key:
// what agents write is JSON with the texts of a program, too.
func (w *jsonWalk) name(key, above, value string) Verdict {
	if !w.judgesNames || IsMask(value) || strings.Count(value, " ") >= minSentence {
		return Verdict{}
	}
	if v := Name(key); v.IsCredential() && !isPlainValue(v.What, value) {
		return v
	}
	if above == "" {
		return Verdict{}
	}
	if v := Name(above + "." + key); v.IsCredential() && !isPlainValue(v.What, value) {
		return v
	}
	return Verdict{}
}

func nested(v Verdict) Verdict {
	if v.Kind == None {
		return v
	}
	return Verdict{Kind: Nested, What: v.What}
}
