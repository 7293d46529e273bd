package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// sortCookies parses one Cookie field strictly (RFC 6265 section 4.2.1): pairs between semicolons, spaces and tabs
// around them, a value perhaps in quotes. The Cookie header that goes out is rebuilt from what parsed here, so what an
// application might read differently does not exist for it: it is left behind.
func (a *Adapter) sortCookies(keep []Cookie, left []Borrowed, header string) ([]Cookie, []Borrowed) {
	first, owner := len(left), ""
	for more := true; more; {
		var pair string
		pair, header, more = strings.Cut(header, ";")
		if pair = strings.Trim(pair, " \t"); pair == "" {
			continue
		}
		name, value, ok := cookie.CutPair(pair)
		switch {
		case !ok:
			left = append(left, Borrowed{In: "cookie", Name: "(malformed)", Value: NewSecret(pair)})
		case a.passesCookie(name), a.sharesCookie(name): // Inject sends no shared one: the session has it
			keep = append(keep, Cookie{Name: name, Value: value})
		default:
			left = append(left, Borrowed{In: "cookie", Name: name, Value: NewSecret(value), Session: text.GlobAny(a.spec.Cookies.Hold, name, text.FoldParam)})
			if owner == "" && text.GlobAny(a.spec.Cookies.Person, name, text.FoldParam) {
				owner = value
			}
		}
	}
	for i := first; i < len(left); i++ {
		left[i].owner = owner
	}
	return keep, left
}

// passesCookie: pass names it and hold does not. hold is read loosely (case, and . - for _: PHP and ASP.NET fold them),
// pass exactly. A name with % or a leading $ never passes: some applications decode the one and obey the other.
func (a *Adapter) passesCookie(name string) bool {
	return text.GlobAny(a.spec.Cookies.Pass, name, nil) && !text.GlobAny(a.spec.Cookies.Hold, name, text.FoldParam) &&
		name[0] != '$' && strings.IndexByte(name, '%') < 0
}

// sharesCookie: share names it and hold does not.
func (a *Adapter) sharesCookie(name string) bool {
	return len(a.spec.Cookies.Share) > 0 && text.GlobAny(a.spec.Cookies.Share, name, nil) && !text.GlobAny(a.spec.Cookies.Hold, name, text.FoldParam)
}
