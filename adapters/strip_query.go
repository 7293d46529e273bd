package adapters

import (
	"net/url"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// StripQuery returns a raw query (without "?") without the parameters that carry credentials, and
// the credentials that it removed. If nothing has to be removed, out is raw itself and StripQuery
// allocates nothing, unless a value has escapes.
//
// Parameters end at & and at ; whatever the adapter says, so that a credential is found by
// applications that take either.
func (a *Adapter) StripQuery(raw string) (out string, removed []Borrowed) {
	return a.stripQuery(raw, a.isCredentialParam)
}

// StripQueryOf is StripQuery for the parameters with the names of cookies that the login of s set.
func (a *Adapter) StripQueryOf(s *Session, raw string) (out string, removed []Borrowed) {
	return a.stripQuery(raw, func(name, value string) bool {
		return !credential.IsMask(value) && a.isSessionCookie(s, name) && !slices.Contains(a.spec.Query.Pass, name)
	})
}

// isSessionCookie reports whether a name is that of a cookie that is a secret of the session, in the
// spelling of the cookie or in one that applications take for it.
func (a *Adapter) isSessionCookie(s *Session, name string) bool {
	for _, c := range s.jar.Cookies() {
		if text.Glob(strings.ReplaceAll(c.Name, "*", ""), name, text.FoldParam) && a.masksCookie(s, c) {
			return true
		}
	}
	return false
}

// stripQuery removes the parameters that isCredential names. A name that does not decode counts as a
// credential.
func (a *Adapter) stripQuery(raw string, isCredential func(name, value string) bool) (out string, removed []Borrowed) {
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

		name, rawValue, _ := strings.Cut(strings.TrimRight(piece, "&;"), "=")
		value := credential.Unescape(rawValue)
		isBad := false
		if strings.ContainsAny(name, "%+") {
			decoded, err := url.QueryUnescape(name)
			if err != nil {
				decoded, isBad = "(malformed)", true
			}
			name = decoded
		}

		if isBad || isCredential(name, value) {
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

// isCredentialParam reports whether a decoded parameter of the query carries a credential: one that
// query.strip lists or that the session sets, or one that the judge takes for a credential and
// query.pass does not list.
func (a *Adapter) isCredentialParam(name, value string) bool {
	// PHP ignores leading spaces and ends a name at NUL; PHP and Rails read a[0] as a.
	short := strings.TrimLeft(name, " ")
	if i := strings.IndexAny(short, "[\x00"); i > 0 {
		short = short[:i]
	}
	for set := range a.spec.Login.Query {
		if text.Glob(set, short, text.FoldParam) {
			return true
		}
	}
	if text.GlobAny(a.spec.Query.Strip, short, text.FoldParam) {
		return true
	}

	return !slices.Contains(a.spec.Query.Pass, name) && credential.Pair(name, value).IsCredential()
}
