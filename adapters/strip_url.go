package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/credential"
)

// stripURL returns a URL without user information, path parameters that are sessions, fragment and
// credentials in its query (RFC 9110 section 10.1.3), and "" for one with a credential in its path.
// removed does not have the fragment. If nothing was removed the result is value itself.
func (a *Adapter) stripURL(field, value string) (clean string, removed []Borrowed) {
	whole, _, hasFragment := strings.Cut(value, "#")
	base, query, _ := strings.Cut(whole, "?")

	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		authority, path, hasPath := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			removed = append(removed, Borrowed{In: "header", Name: field, Value: NewSecret(authority[:i])})
			base = scheme + "://" + authority[i+1:]
			if hasPath {
				base += "/" + path
			}
		}
	}

	base, inPath := StripPath(base)
	removed = append(removed, inPath...)
	for segment := range strings.SplitSeq(base, "/") {
		if credential.Segment(credential.Unescape(segment)).IsCredential() {
			return "", append(removed, Borrowed{In: "header", Name: field, Value: NewSecret(base), Session: true})
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

// stripReferer is stripURL for a URL or a path, and returns "" for anything else.
func (a *Adapter) stripReferer(field, value string) (clean string, removed []Borrowed) {
	if value == "" {
		return "", nil
	}
	if value[0] != '/' && !hasPrefixFold(value, "https://") && !hasPrefixFold(value, "http://") {
		return "", []Borrowed{{In: "header", Name: field, Value: NewSecret(value), Session: carriesCredential(field, value)}}
	}
	return a.stripURL(field, value)
}

// stripDestination returns what Destination (RFC 4918 section 10.3) or Content-Location goes on as: a URL at one of the
// adapter's hosts, or a path, without what stripURL removes. It returns "" for a value that servers may resolve
// differently, and for one that leads elsewhere.
func (a *Adapter) stripDestination(field, value string) (clean string, removed []Borrowed) {
	value = strings.Trim(value, " \t")
	clean, removed = a.stripURL(field, value)

	base, _, _ := strings.Cut(clean, "?")
	if scheme, rest, isURL := strings.Cut(base, "://"); isURL {
		authority, path, _ := strings.Cut(rest, "/")
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || !a.serves(authority) {
			base = ""
		} else {
			base = "/" + path
		}
	}
	if _, isClear := decodePath(base, ""); isClear {
		return clean, removed
	}
	if len(removed) == 0 {
		removed = append(removed, Borrowed{In: "header", Name: field, Value: NewSecret(value)})
	}
	return "", removed
}

// asForwarded returns the value of a request field as the application gets it, for actions that are decided by it.
func (a *Adapter) asForwarded(name, value string) string {
	if a == nil || a.requestNames.lookUp(name, a.treatmentOfName) != cleanDestination {
		return value
	}
	clean, _ := a.stripDestination(name, value)
	return clean
}
