package adapters

import "strings"

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
		name, value, ok := cutCookie(pair)
		switch {
		case !ok:
			left = append(left, Borrowed{In: "cookie", Name: "(malformed)", Value: Hide(pair)})
		case a.passesCookie(name), a.sharesCookie(name): // Inject sends no shared one: the session has it
			keep = append(keep, Cookie{Name: name, Value: value})
		default:
			left = append(left, Borrowed{In: "cookie", Name: name, Value: Hide(value), Session: globAny(a.spec.Cookies.Hold, name, looseByte)})
			if owner == "" && globAny(a.spec.Cookies.Person, name, looseByte) {
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
	return globAny(a.spec.Cookies.Pass, name, nil) && !globAny(a.spec.Cookies.Hold, name, looseByte) &&
		name[0] != '$' && strings.IndexByte(name, '%') < 0
}

// sharesCookie: share names it and hold does not.
func (a *Adapter) sharesCookie(name string) bool {
	return len(a.spec.Cookies.Share) > 0 && globAny(a.spec.Cookies.Share, name, nil) && !globAny(a.spec.Cookies.Hold, name, looseByte)
}

// cutCookie splits name=value. Quotes around the value are kept, as RFC 6265 section 4.1.1 makes them part of it.
func cutCookie(pair string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(pair, "=")
	if !ok || name == "" {
		return "", "", false
	}
	for i := 0; i < len(name); i++ {
		if !tokenByte(name[i]) {
			return "", "", false
		}
	}
	inner := value
	if len(inner) >= 2 && inner[0] == '"' && inner[len(inner)-1] == '"' {
		inner = inner[1 : len(inner)-1]
	}
	for i := 0; i < len(inner); i++ {
		if c := inner[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return "", "", false
		}
	}
	return name, value, true
}

// tokenByte is tchar of RFC 9110 section 5.6.2.
func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
