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
	return a.stripQuery(raw, func(name, value string) bool {
		return a.isCredentialParam(name, value) || isCodeOf(raw, name, value) && !slices.Contains(a.spec.Query.Pass, name)
	})
}

// isCodeOf reports whether a parameter is the authorization code of a query (RFC 6749 section 4.1.2), next to a state.
func isCodeOf(raw, name, value string) bool {
	return len(name) == len("code") && strings.EqualFold(name, "code") && credential.IsShortCode(value) && strings.Contains(raw, "state=")
}

// StripQueryOf is StripQuery for the parameters with the names of cookies that the login of s set.
func (a *Adapter) StripQueryOf(s *Session, raw string) (out string, removed []Borrowed) {
	return a.stripQuery(raw, func(name, value string) bool {
		if credential.IsMask(value) || slices.Contains(a.spec.Query.Pass, name) {
			return false
		}
		return a.isSessionCookie(s, name) || a.holdsSessionCookie(s, value)
	})
}

// StripFieldsOf removes from fields, in place, what names a cookie that the login of s set: a parameter of the Referer,
// or a whole field with such a pair in it. Cookie is not looked at.
func (a *Adapter) StripFieldsOf(s *Session, fields []Field) (kept []Field, removed []Borrowed) {
	kept = fields[:0]
	for i := range fields {
		f := fields[i]
		if strings.IndexByte(f.Value, '=') < 0 && strings.IndexByte(f.Value, '%') < 0 || strings.EqualFold(f.Name, "Cookie") || !a.holdsSessionCookie(s, f.Value) {
			kept = append(kept, f)
			continue
		}

		removed = append(removed, Borrowed{In: "header", Name: f.Name, Value: NewSecret(f.Value), Session: true})
		base, query, hasQuery := strings.Cut(f.Value, "?")
		if !hasQuery || !strings.EqualFold(f.Name, "Referer") || a.holdsSessionCookie(s, base) {
			continue
		}
		query, _ = a.StripQueryOf(s, query)
		if query != "" {
			base += "?" + query
		}
		kept = append(kept, Field{Name: f.Name, Value: base})
	}
	return kept, removed
}

// holdsSessionCookie reports whether a value is, or holds, a pair with the name of a cookie of the session.
func (a *Adapter) holdsSessionCookie(s *Session, value string) bool {
	found := false
	credential.PairNames(value, func(name string) bool {
		found = a.isSessionCookie(s, name)
		return !found
	})
	return found
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
		end := endOfPair(rest)
		piece := rest[:end]
		rest = rest[end:]

		name, rawValue, _ := strings.Cut(withoutSeparator(piece), "=")
		value := credential.Unescape(rawValue)
		isBad := false
		if isEscaped(name) {
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
			removed = append(removed, Borrowed{
				In: "query", Name: nameForRecord(name), Value: NewSecret(value), Session: true, Decides: a.decidesByParam(name),
				isSomeSession: !a.namesParam(name) && isSomeSession(name, value),
			})
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

// namesParam reports whether the adapter names a parameter of the query as a credential.
func (a *Adapter) namesParam(name string) bool {
	short, _ := partsOfName(name)
	return text.GlobAny(a.spec.Query.Strip, short, text.FoldParam)
}

// decidesByParam reports whether some action is told from others by a parameter, other than one that the session sets.
func (a *Adapter) decidesByParam(name string) bool {
	if a.rules == nil || a.spec.Login.Query[name] != "" {
		return false
	}
	return a.rules.declared[name]
}

// endOfPair is where the first pair of a query ends, with its separator.
func endOfPair(query string) int {
	for i := 0; i < len(query); i++ {
		if query[i] == '&' || query[i] == ';' {
			return i + 1
		}
	}
	return len(query)
}

// withoutSeparator cuts the separator off a pair.
func withoutSeparator(pair string) string {
	if n := len(pair) - 1; n >= 0 && (pair[n] == '&' || pair[n] == ';') {
		return pair[:n]
	}
	return pair
}

func isEscaped(name string) bool {
	return strings.IndexByte(name, '%') >= 0 || strings.IndexByte(name, '+') >= 0
}

// isCredentialParam reports whether a decoded parameter of the query carries a credential: one that
// query.strip lists or that the session sets, or one that the judge takes for a credential and
// query.pass does not list.
func (a *Adapter) isCredentialParam(name, value string) bool {
	// PHP ignores leading spaces and ends a name at NUL; PHP and Rails read a[0] as a.
	short := strings.TrimLeft(text.FoldToASCII(name), " ")
	for i := 1; i < len(short); i++ {
		if short[i] == '[' || short[i] == 0 {
			short = short[:i]
			break
		}
	}
	for set := range a.spec.Login.Query {
		if text.Glob(set, short, text.FoldParam) {
			return true
		}
	}
	if text.GlobAny(a.spec.Query.Strip, short, text.FoldParam) {
		return true
	}

	if slices.Contains(a.spec.Query.Pass, name) {
		return false
	}
	return credential.Pair(name, value).IsCredential() || isDocumentName(name) && documentHoldsCredential(value)
}

// documentHoldsCredential reports whether an argument in a GraphQL document is a credential.
func documentHoldsCredential(document string) bool {
	found := false
	walkGraphQL(document, func(name, value string) { found = found || credential.Pair(name, value).IsCredential() })
	return found
}
