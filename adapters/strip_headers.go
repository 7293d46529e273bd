package adapters

import (
	"slices"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// treatmentOfName decides on a request field by its name alone. A name that neither the adapter nor allowedFields lists
// is held: applications have endless names for credentials and for people.
func (a *Adapter) treatmentOfName(name string) treatment {
	var buf [64]byte
	lower := string(text.AppendFolded(buf[:0], name))
	switch {
	case lower == "cookie":
		return splitCookies
	case text.ContainsName(a.spec.Headers.Strip, name), strings.HasPrefix(lower, "proxy-auth"), a.setsHeader(name):
		return withhold
	case signatureFields[lower]:
		if a.passesSignatures() {
			return forwardSigned
		}
		return withhold
	case text.ContainsName(a.spec.Headers.Pass, name), text.SameName(a.spec.MethodOverride.Header, name):
		return forward
	case lower == "referer":
		return cleanReferer
	case lower == "sec-websocket-protocol":
		return cleanSubprotocols
	case lower == "sec-websocket-extensions":
		return leaveOut
	case allowedFields[lower]:
		return decideByValue
	case allowedValues[lower] != nil:
		return decideByList
	}
	return withhold
}

// passesSignatures reports whether the fields of a signature go on. They go together: headers.strip with one of them
// strips all, and headers.pass with one of them passes all.
func (a *Adapter) passesSignatures() bool {
	isOne := func(name string) bool { return signatureFields[strings.ToLower(name)] }
	return slices.ContainsFunc(a.spec.Headers.Pass, isOne) && !slices.ContainsFunc(a.spec.Headers.Strip, isOne)
}

// hasAllowedValue reports whether a field that allowedValues lists has one of its values.
func hasAllowedValue(name, value string) bool {
	values := allowedValues[string(text.AppendFolded(nil, name))]
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, strings.Trim(value, " \t")) })
}

// isHeld reports whether a field that was removed is held because nothing names it, rather than because it is a
// credential.
func (a *Adapter) isHeld(f *Field) bool {
	return !a.isKnownCredential(f) && !text.ContainsName(a.spec.Headers.Strip, f.Name) && !namesCredential(f.Name)
}

// isKnownCredential reports whether a removed field is certainly a credential: by its value, because
// the session sets the same field, or because the adapter lists a name that is like a credential's.
func (a *Adapter) isKnownCredential(f *Field) bool {
	return carriesCredential(f.Value) || a.setsHeader(f.Name) ||
		text.ContainsName(a.spec.Headers.Strip, f.Name) && namesCredential(f.Name)
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

// namesCredential reports whether a field, or an item of Sec-WebSocket-Protocol, has the name of a credential.
func namesCredential(name string) bool { return credential.Field(name).IsCredential() }

// carriesCredential reports whether the value of a field is a credential, whatever the name of the field.
func carriesCredential(value string) bool { return credential.Header(value).IsCredential() }

// stripReferer returns a URL without user information, path parameters that are sessions, fragment and
// credentials in its query (RFC 9110 section 10.1.3), and "" for one with a credential in its path.
// removed does not have the fragment. If nothing was removed the result is value itself.
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

	base, inPath := StripPath(base)
	removed = append(removed, inPath...)
	for segment := range strings.SplitSeq(base, "/") {
		if credential.Header(credential.Unescape(segment)).IsCredential() {
			return "", append(removed, Borrowed{In: "header", Name: "Referer", Value: NewSecret(base), Session: true})
		}
	}

	query, inQuery := a.StripQuery(query)
	removed = append(removed, inQuery...)
	if len(removed) == 0 && !hasFragment && strings.HasPrefix(whole, base) {
		return value, nil
	}
	if query != "" {
		base += "?" + query
	}
	return base, removed
}
