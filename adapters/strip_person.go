package adapters

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPerson is the length of the longest name that Person returns, in bytes: agents choose it.
const maxPerson = 128

// Person returns the name of the person whose credential it is, as far as the credential says so: in
// the user cookie of the same field (cookies.person), the claims of a JWT, or the user of Basic. It
// returns "" otherwise. The name is not verified: an agent may write any name.
func (b Borrowed) Person() string {
	if b.owner != "" {
		return validPerson(readUserCookie(b.owner))
	}

	value := b.Value.Reveal()
	if scheme, rest, ok := strings.Cut(value, " "); ok && b.In == "header" {
		if strings.EqualFold(scheme, "basic") {
			user, _, _ := strings.Cut(string(decodeBase64(rest)), ":")
			return validPerson(user)
		}
		value = strings.TrimSpace(rest)
	}
	return validPerson(readClaims(value))
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

// validPerson returns s if a record can show it as a name, and "" otherwise.
func validPerson(s string) string {
	isHidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(s) > maxPerson || !utf8.ValidString(s) || strings.ContainsFunc(s, isHidden) {
		return ""
	}
	return s
}
