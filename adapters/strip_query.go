package adapters

import (
	"net/url"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// credentialParams are removed from every query. Names are lower case; - . and space count as _, as PHP reads them.
var credentialParams = map[string]bool{
	"access_token": true, "id_token": true, "refresh_token": true, "auth_token": true, "oauth_token": true, "bearer_token": true,
	"private_token": true, "session_token": true, "api_token": true, "api_key": true, "apikey": true, "access_key": true, "auth": true,
	"authorization": true, "sid": true, "session_id": true, "sessionid": true, "session": true, "phpsessid": true, "jsessionid": true,
	"aspsessionid": true, "asp_net_sessionid": true, "cfid": true, "cftoken": true, "password": true, "passwd": true, "jwt": true,
	"client_secret": true, "secret": true, "assertion": true, "client_assertion": true, "samlresponse": true,
	"x_amz_signature": true, "x_amz_credential": true, "x_amz_security_token": true, "x_goog_signature": true, "x_goog_credential": true,
}

// StripQuery removes credentials from a raw query (without "?"). When nothing has to go, out is raw itself. Parameters
// are read at & and at ; alike, whatever the adapter says: an application that takes either gets no credential.
func (a *Adapter) StripQuery(raw string) (out string, left []Borrowed) {
	if raw == "" {
		return raw, nil
	}
	var kept strings.Builder
	for rest := raw; rest != ""; {
		end := strings.IndexAny(rest, "&;") + 1
		if end == 0 {
			end = len(rest)
		}
		piece := rest[:end]
		rest = rest[end:]
		pair := strings.TrimRight(piece, "&;")
		key, value, _ := strings.Cut(pair, "=")
		if name, bad := a.badParam(key); bad {
			if left == nil {
				kept.WriteString(raw[:len(raw)-len(rest)-len(piece)])
			}
			left = append(left, Borrowed{In: "query", Name: name, Value: NewSecret(value), Session: true})
			continue
		}
		if left != nil {
			kept.WriteString(piece)
		}
	}
	if left == nil {
		return raw, nil
	}
	return strings.TrimRight(kept.String(), "&;"), left
}

// badParam decodes a parameter's name and says whether it carries a credential.
func (a *Adapter) badParam(key string) (string, bool) {
	if strings.ContainsAny(key, "%+") {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return "(malformed)", true
		}
		key = decoded
	}
	name := strings.TrimLeft(key, " ")
	if i := strings.IndexAny(name, "[\x00"); i > 0 {
		name = name[:i] // PHP and Rails read a[0] as a, and PHP ends a name at NUL
	}
	var room [64]byte
	lower := room[:0]
	for i := 0; i < len(name); i++ {
		c := text.Fold(name[i])
		if c == '-' || c == '.' || c == ' ' {
			c = '_'
		}
		lower = append(lower, c)
	}
	if credentialParams[string(lower)] && !slices.Contains(a.spec.Query.Pass, key) {
		return key, true
	}
	for own := range a.spec.Login.Query {
		if text.Glob(own, name, text.FoldParam) {
			return key, true
		}
	}
	for _, pattern := range a.spec.Query.Strip {
		if text.Glob(pattern, name, text.FoldParam) {
			return key, true
		}
	}
	return "", false
}
