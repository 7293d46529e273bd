package adapters

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// maxPerson is the length of the longest name that Person returns, in bytes: agents choose it.
const maxPerson = 128

// Person returns the name of the person whose credential it is, as far as the credential says so: in
// the user cookie of the same field (cookies.person), the claims of a JWT, or the user of Basic. It
// returns "" otherwise. The name is not verified: an agent may write any name.
func (b Borrowed) Person() string {
	if b.owner != "" {
		return likelyPerson(readUserCookie(b.owner))
	}

	value := b.Value.Reveal()
	if scheme, rest, ok := strings.Cut(strings.ReplaceAll(value, "\t", " "), " "); ok && b.In == "header" {
		rest = strings.TrimSpace(rest)
		if strings.EqualFold(scheme, "basic") {
			user, _, hasPassword := strings.Cut(string(decodeBase64(rest)), ":")
			if !hasPassword {
				return "" // RFC 7617 requires the colon: it may be a key alone
			}
			return likelyPerson(user)
		}
		value = strings.TrimSpace(rest)
	}
	claim := readClaims(value)
	if credential.Value(claim).IsCredential() {
		return ""
	}
	return validPerson(claim)
}

// readUserCookie returns the value of a cookie up to the first |. WordPress and others write the name
// there, followed by what proves it.
func readUserCookie(value string) string {
	if decoded, err := url.QueryUnescape(value); err == nil {
		value = decoded
	}
	value = strings.Trim(value, `"`)
	name, _, _ := strings.Cut(value, "|")
	return name
}

// readClaims returns the claim of a JWT (RFC 7519) that names its subject best, and "" for any other
// value. It does not check the signature.
func readClaims(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) < 3 {
		return ""
	}

	var claims map[string]any
	if json.Unmarshal(decodeBase64(parts[1]), &claims) != nil {
		return ""
	}
	for _, name := range []string{"email", "preferred_username", "upn", "sub"} {
		if s, ok := claims[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// decodeBase64 decodes either alphabet, with or without padding. It returns nil for what is not
// base64.
func decodeBase64(s string) []byte {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// likelyPerson returns s if it looks like the name or the address of a person, and "" otherwise: many applications take
// an API key as the user of Basic, and a record shows names in clear. A name consists of words of letters, with at most
// four digits in all; no word is longer than 20 letters or changes from lower to upper case more than once.
func likelyPerson(s string) string {
	digits, word, changes := 0, 0, 0
	last := ' '
	for _, c := range s {
		switch {
		case unicode.IsDigit(c):
			digits++
		case unicode.IsLetter(c):
			word++
			if unicode.IsUpper(c) && unicode.IsLower(last) {
				changes++
			}
		case strings.ContainsRune(" .-_@+'\\", c):
			word, changes = 0, 0
		default:
			return ""
		}
		if digits > 4 || word > 20 || changes > 1 {
			return ""
		}
		last = c
	}

	bare := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) {
			return c
		}
		return -1
	}, s)
	isHex := strings.Trim(strings.ToLower(s), "0123456789abcdef-") == ""
	if bare == "" || len(s) >= 16 && isHex || credential.Value(s).IsCredential() || credential.Name(s).IsCredential() {
		return ""
	}
	return validPerson(s)
}

// validPerson returns s if a record can show it as a name, and "" otherwise.
func validPerson(s string) string {
	isHidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(s) > maxPerson || !utf8.ValidString(s) || strings.ContainsFunc(s, isHidden) {
		return ""
	}
	return s
}
