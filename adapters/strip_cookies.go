package adapters

import (
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// splitCookies parses the value of a Cookie field strictly (RFC 6265 section 4.2.1): pairs between
// semicolons, blanks around them, a value that may be quoted. It appends to keep the cookies that may
// go on and to removed the others. Put writes the Cookie field from what was parsed here, so an
// application cannot read the field in another way.
func (a *Adapter) splitCookies(keep []Cookie, removed []Borrowed, value string) ([]Cookie, []Borrowed) {
	first := len(removed)
	owner := ""
	for more := true; more; {
		var pair string
		pair, value, more = strings.Cut(value, ";")
		pair = strings.Trim(pair, " \t")
		if pair == "" {
			continue
		}

		name, value, ok := cookie.CutPair(pair)
		switch {
		case !ok, !a.isOneCookie(value):
			removed = append(removed, Borrowed{In: "cookie", Name: "(malformed)", Value: NewSecret(pair)})

		case a.passesCookie(name), a.sharesCookie(name): // Put does not send shared ones: the session has them
			keep = append(keep, Cookie{Name: name, Value: value})

		default:
			isHeld := text.GlobAny(a.spec.Cookies.Hold, name, text.FoldParam) || a.isLoginCookie(name)
			removed = append(removed, Borrowed{In: "cookie", Name: nameForRecord(name), Value: NewSecret(value), Session: isHeld})
			if owner == "" && text.GlobAny(a.spec.Cookies.Person, name, text.FoldParam) {
				owner = value
			}
		}
	}

	for i := first; i < len(removed); i++ {
		removed[i].owner = owner
	}
	return keep, removed
}

// isOneCookie reports whether a reader that ends cookies at commas finds in a value only what may pass.
func (a *Adapter) isOneCookie(value string) bool {
	for name := range cookie.NamesAfterCommas(value) {
		if !a.passesCookie(name) {
			return false
		}
	}
	return true
}

// passesCookie reports whether cookies.pass lists a cookie and cookies.hold does not. hold is read
// as the loosest applications read names, without case and with . and - as _ (PHP, ASP.NET); pass is
// read exactly. A name with % or a leading $ never passes, because some applications decode the
// former and obey the latter.
func (a *Adapter) passesCookie(name string) bool {
	return text.GlobAny(a.spec.Cookies.Pass, name, nil) && !text.GlobAny(a.spec.Cookies.Hold, name, text.FoldParam) &&
		name[0] != '$' && strings.IndexByte(name, '%') < 0 && !a.isLoginCookie(name)
}

// isLoginCookie reports whether a cookie is one by which the login is known to have succeeded: it is the
// session, whatever cookies says.
func (a *Adapter) isLoginCookie(name string) bool {
	return len(a.loginCookies) > 0 && text.GlobAny(a.loginCookies, name, text.FoldParam)
}

// sharesCookie reports whether cookies.share lists a cookie and cookies.hold does not.
func (a *Adapter) sharesCookie(name string) bool {
	return len(a.spec.Cookies.Share) > 0 && text.GlobAny(a.spec.Cookies.Share, name, nil) &&
		!text.GlobAny(a.spec.Cookies.Hold, name, text.FoldParam)
}
