package adapters

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPerson bounds a name that an agent chooses, in bytes.
const maxPerson = 128

// Person is whose credential it is, as far as it says so itself: the adapter's
// user cookie beside it, the claims of a JWT, the user of Basic. It is empty
// when nothing does. Nobody has verified it: an agent can write what it likes.
func (b Borrowed) Person() string {
	if b.owner != "" {
		return cleanPerson(cookieOwner(b.owner))
	}
	value := b.Value.Reveal()
	if scheme, rest, ok := strings.Cut(value, " "); ok && b.In == "header" {
		if strings.EqualFold(scheme, "basic") {
			user, _, _ := strings.Cut(string(decode64(rest)), ":")
			return cleanPerson(user)
		}
		value = strings.TrimSpace(rest)
	}
	return cleanPerson(subject(value))
}

// cookieOwner is a cookie's value up to a |, as WordPress and others join the
// user's name with what proves it.
func cookieOwner(value string) string {
	if decoded, err := url.QueryUnescape(value); err == nil {
		value = decoded
	}
	value = strings.Trim(value, `"`)
	name, _, _ := strings.Cut(value, "|")
	return name
}

// subject is whom a JWT (RFC 7519) speaks of, or "". Its signature is not looked at.
func subject(token string) string {
	if !strings.HasPrefix(token, "eyJ") || strings.Count(token, ".") < 2 {
		return ""
	}
	payload := strings.Split(token, ".")[1]
	var claims map[string]any
	if json.Unmarshal(decode64(payload), &claims) != nil {
		return ""
	}
	for _, name := range []string{"email", "preferred_username", "upn", "sub"} {
		if s, ok := claims[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

func decode64(s string) []byte {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// cleanPerson drops what is no name that a record could show.
func cleanPerson(s string) string {
	if len(s) > maxPerson || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return s
}
