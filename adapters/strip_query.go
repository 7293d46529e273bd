package adapters

import (
	"net/url"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// credentialParams are removed from every query unless query.pass lists them. Names are in lower case
// with _ for - . and space, as PHP reads them.
var credentialParams = map[string]bool{
	"access_token": true, "id_token": true, "refresh_token": true, "auth_token": true, "oauth_token": true, "bearer_token": true,
	"private_token": true, "session_token": true, "api_token": true, "api_key": true, "apikey": true, "access_key": true, "auth": true,
	"authorization": true, "jwt": true, "assertion": true, "client_assertion": true, "samlresponse": true,

	"sid": true, "session_id": true, "sessionid": true, "session": true, "phpsessid": true, "jsessionid": true,
	"aspsessionid": true, "asp_net_sessionid": true, "cfid": true, "cftoken": true,

	"password": true, "passwd": true, "secret": true, "client_secret": true,

	"x_amz_signature": true, "x_amz_credential": true, "x_amz_security_token": true, "x_goog_signature": true, "x_goog_credential": true,
}

// StripQuery returns a raw query (without "?") without the parameters that carry credentials, and
// the credentials that it removed. If nothing has to be removed, out is raw itself and StripQuery does
// not allocate.
//
// Parameters end at & and at ; whatever the adapter says, so that a credential is found by
// applications that take either.
func (a *Adapter) StripQuery(raw string) (out string, removed []Borrowed) {
	if raw == "" {
		return raw, nil
	}

	var kept strings.Builder // empty until something is removed
	for rest := raw; rest != ""; {
		start := len(raw) - len(rest)
		end := strings.IndexAny(rest, "&;") + 1
		if end == 0 {
			end = len(rest)
		}
		piece := rest[:end]
		rest = rest[end:]

		key, value, _ := strings.Cut(strings.TrimRight(piece, "&;"), "=")
		if name, bad := a.isCredentialParam(key); bad {
			if removed == nil {
				kept.WriteString(raw[:start])
			}
			removed = append(removed, Borrowed{In: "query", Name: name, Value: NewSecret(value), Session: true})
			continue
		}
		if removed != nil {
			kept.WriteString(piece)
		}
	}

	if removed == nil {
		return raw, nil
	}
	return strings.TrimRight(kept.String(), "&;"), removed
}

// isCredentialParam reports whether a parameter carries a credential, by its raw name, and returns the
// decoded name. A name that does not decode counts as a credential.
func (a *Adapter) isCredentialParam(key string) (string, bool) {
	if strings.ContainsAny(key, "%+") {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return "(malformed)", true
		}
		key = decoded
	}

	// PHP ignores leading spaces and ends a name at NUL; PHP and Rails read a[0] as a.
	name := strings.TrimLeft(key, " ")
	if i := strings.IndexAny(name, "[\x00"); i > 0 {
		name = name[:i]
	}

	var buf [64]byte
	folded := buf[:0]
	for i := 0; i < len(name); i++ {
		folded = append(folded, text.FoldParam(name[i]))
	}
	if credentialParams[string(folded)] && !slices.Contains(a.spec.Query.Pass, key) {
		return key, true
	}

	for set := range a.spec.Login.Query {
		if text.Glob(set, name, text.FoldParam) {
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
