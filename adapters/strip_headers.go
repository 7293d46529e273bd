package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// credentialHeaders are removed from every request: credentials, and fields that name a person or an
// address or that change the method or the path after the walk has decided. Names are in lower case
// with - for _.
var credentialHeaders = map[string]bool{
	"cookie2": true, "signature": true, "signature-input": true,

	"x-user": true, "x-username": true, "x-user-id": true, "x-email": true, "x-groups": true, "x-sid": true,

	"x-real-ip": true, "true-client-ip": true, "cf-connecting-ip": true, "x-client-ip": true, "x-cluster-client-ip": true,

	"x-original-url": true, "x-rewrite-url": true, "x-original-host": true, "x-host": true,
	"x-http-method-override": true, "x-http-method": true, "x-method-override": true,
}

// credentialWords mark a header as a credential wherever they are in its name.
var credentialWords = []string{
	"auth", "token", "secret", "session", "api-key", "apikey", "access-key", "private-key", "password", "passwd", "jwt", "dpop",
	"credential", "cookie", "remote-user", "forwarded", "client-cert", "client-verify", "ssl-", "bearer", "saml", "oidc", "impersonate",
}

// credentialSchemes are the schemes of HTTP authentication (RFC 9110 section 11.4) by which a value is
// known for a credential.
var credentialSchemes = [...]string{"bearer", "basic", "digest", "negotiate", "ntlm", "dpop"}

// maxScheme is the length of the longest of credentialSchemes, in bytes.
const maxScheme = len("negotiate")

// treatmentOfName decides on a request field by its name alone.
func (a *Adapter) treatmentOfName(name string) treatment {
	var buf [64]byte
	lower := string(text.AppendFolded(buf[:0], name))
	switch {
	case lower == "cookie":
		return splitCookies
	case text.ContainsName(a.spec.Headers.Strip, name), strings.HasPrefix(lower, "proxy-auth"), a.setsHeader(name):
		return withhold
	case text.ContainsName(a.spec.Headers.Pass, name), text.SameName(a.spec.MethodOverride.Header, name):
		return forward
	case lower == "referer":
		return cleanReferer
	case lower == "sec-websocket-protocol":
		return cleanSubprotocols
	case lower == "origin", strings.HasPrefix(lower, "sec-fetch-"), strings.HasPrefix(lower, "sec-websocket-"):
		return decideByValue
	case namesCredential(lower):
		return withhold
	}
	return decideByValue
}

// isKnownCredential reports whether a removed field is certainly a credential: by its value, because
// the session sets the same field, or because the adapter lists a name that is like a credential's.
func (a *Adapter) isKnownCredential(f *Field) bool {
	return carriesCredential(f.Value) || a.setsHeader(f.Name) ||
		text.ContainsName(a.spec.Headers.Strip, f.Name) && namesCredential(string(text.AppendFolded(nil, f.Name)))
}

// setsHeader reports whether sessions of the adapter set a header. Agents may not send it.
func (a *Adapter) setsHeader(name string) bool {
	if a.spec.Login.Header != "" && text.SameName(a.spec.Login.Header, name) {
		return true
	}
	for set := range a.spec.Login.Headers {
		if text.SameName(set, name) {
			return true
		}
	}
	return false
}

// namesCredential reports whether a name is that of a credential. lower is in lower case with - for
// _.
func namesCredential(lower string) bool {
	if credentialHeaders[lower] {
		return true
	}
	if strings.Contains(lower, "csrf") || strings.Contains(lower, "xsrf") {
		return false // a page's token against request forgery, which the agent sends back
	}
	for _, word := range credentialWords {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// carriesCredential reports whether a value is an HTTP credential (RFC 9110 section 11.4) or a JWT,
// whatever the name of its field.
func carriesCredential(value string) bool {
	scheme, rest, ok := strings.Cut(value, " ")
	if ok && rest != "" && len(scheme) <= maxScheme {
		for _, known := range credentialSchemes {
			if strings.EqualFold(scheme, known) {
				return true
			}
		}
	}
	return isJWT(value)
}

// isJWT reports whether a value has the form of a signed or encrypted JWT (RFC 7519): a JSON object in
// base64url, and two or more further parts.
func isJWT(value string) bool {
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") >= 2
}

// stripReferer returns a URL without user information, fragment and credentials in its query (RFC 9110
// section 10.1.3). removed does not have the fragment. If nothing was removed the result is value
// itself.
func (a *Adapter) stripReferer(value string) (clean string, removed []Borrowed) {
	whole, _, hasFragment := strings.Cut(value, "#")
	base, query, _ := strings.Cut(whole, "?")

	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		authority, path, hasPath := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			removed = append(removed, Borrowed{In: "header", Name: "Referer", Value: NewSecret(authority[:i])})
			base = scheme + "://" + authority[i+1:]
			if hasPath {
				base += "/" + path
			}
		}
	}

	query, more := a.StripQuery(query)
	removed = append(removed, more...)
	if len(removed) == 0 && !hasFragment {
		return value, nil
	}
	if query != "" {
		base += "?" + query
	}
	return base, removed
}
