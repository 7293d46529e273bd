package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/text"
)

// credentialHeaders are removed from every request: credentials, what names a person or an address, what changes the
// method or the path behind the walk's back. Names are lower case with - for _.
var credentialHeaders = map[string]bool{
	"cookie2": true, "signature": true, "signature-input": true, "x-user": true, "x-username": true, "x-user-id": true,
	"x-email": true, "x-groups": true, "x-sid": true, "x-real-ip": true, "true-client-ip": true, "cf-connecting-ip": true,
	"x-client-ip": true, "x-cluster-client-ip": true, "x-original-url": true, "x-rewrite-url": true, "x-original-host": true,
	"x-host": true, "x-http-method-override": true, "x-http-method": true, "x-method-override": true,
}

// credentialWords mark a header as a credential wherever they stand in its name.
var credentialWords = []string{
	"auth", "token", "secret", "session", "api-key", "apikey", "access-key", "private-key", "password", "passwd", "jwt", "dpop",
	"credential", "cookie", "remote-user", "forwarded", "client-cert", "client-verify", "ssl-", "bearer", "saml", "oidc", "impersonate",
}

// judgeName is what a field's name alone says: a verdict, or that its value decides.
func (a *Adapter) judgeName(name string) verdictOn {
	var room [64]byte
	lower := string(text.AppendFolded(room[:0], name))
	switch {
	case lower == "cookie":
		return isCookie
	case text.ContainsName(a.spec.Headers.Strip, name), strings.HasPrefix(lower, "proxy-auth"), a.setsHeader(name):
		return borrowed
	case text.ContainsName(a.spec.Headers.Pass, name), text.SameName(a.spec.MethodOverride.Header, name):
		return passes
	case lower == "referer":
		return isReferer
	case lower == "sec-websocket-protocol":
		return isSubprotocol
	case lower == "origin" || strings.HasPrefix(lower, "sec-fetch-") || strings.HasPrefix(lower, "sec-websocket-"):
		return ifHarmless
	case looksCredential(lower):
		return borrowed
	}
	return ifHarmless
}

// sessionHeader: it is a credential by its value, or by its name and the adapter's word.
func (a *Adapter) sessionHeader(f *Field) bool {
	return carriesCredential(f.Value) || a.setsHeader(f.Name) ||
		text.ContainsName(a.spec.Headers.Strip, f.Name) && looksCredential(string(text.AppendFolded(nil, f.Name)))
}

// setsHeader: a header that the session sets is never the agent's to send.
func (a *Adapter) setsHeader(name string) bool {
	if a.spec.Login.Header != "" && text.SameName(a.spec.Login.Header, name) {
		return true
	}
	for h := range a.spec.Login.Headers {
		if text.SameName(h, name) {
			return true
		}
	}
	return false
}

// looksCredential judges by a canonical name.
func looksCredential(lower string) bool {
	if credentialHeaders[lower] {
		return true
	}
	if strings.Contains(lower, "csrf") || strings.Contains(lower, "xsrf") {
		return false // the anti-forgery token of a page is the agent's to echo
	}
	for _, word := range credentialWords {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// carriesCredential judges by the value: an HTTP credential (RFC 9110 section 11.4) or a JWT, under whatever name.
func carriesCredential(value string) bool {
	scheme, rest, ok := strings.Cut(value, " ")
	if ok && rest != "" && len(scheme) <= 9 {
		for _, known := range [...]string{"bearer", "basic", "digest", "negotiate", "ntlm", "dpop"} {
			if strings.EqualFold(scheme, known) {
				return true
			}
		}
	}
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") >= 2
}

// cleanReferer drops user information, the fragment and credentials in the query; the same string when it has none.
func (a *Adapter) cleanReferer(value string) (string, []Borrowed) {
	var left []Borrowed
	whole, _, cut := strings.Cut(value, "#")
	base, query, _ := strings.Cut(whole, "?")
	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			left = append(left, Borrowed{In: "header", Name: "Referer", Value: NewSecret(authority[:i])})
			if base = scheme + "://" + authority[i+1:]; slash {
				base += "/" + path
			}
		}
	}
	clean, gone := a.StripQuery(query)
	switch left = append(left, gone...); {
	case len(left) == 0 && !cut:
		return value, nil
	case clean != "":
		base += "?" + clean
	}
	return base, left
}
