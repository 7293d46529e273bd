package adapters

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/mask"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// maxRotated bounds how many replaced values of cookies stay masked.
const maxRotated = 32

// minCookieSecret is the length of the shortest value of a cookie that is masked without cookies.mask,
// in bytes.
const minCookieSecret = 8

// holdCookies puts cookies into the jar and keeps the values that they replace masked. New values are
// masked before they can be read from the jar, and so before one of them can be sent.
func (a *Adapter) holdCookies(s *Session, now time.Time, cookies ...cookie.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()

	before := s.jar.Cookies()
	changes := false
	var added []cookie.Cookie
	for _, c := range cookies {
		at := slices.IndexFunc(before, c.Replaces)
		if at >= 0 && before[at] == c {
			continue
		}
		changes = true
		if a.masksCookie(s, c) {
			added = append(added, c)
		}
		if at >= 0 && before[at].Value != c.Value && a.masksCookie(s, before[at]) {
			s.rotated = append(s.rotated, rotatedCookie{c.Name, unquote(before[at].Value)})
		}
	}
	if !changes {
		return
	}

	s.rotated = s.rotated[max(len(s.rotated)-maxRotated, 0):]
	a.remask(s, added...)
	for _, c := range cookies {
		isSession := func(c cookie.Cookie) bool { return a.provesSession(c.Name, c.Value) || a.isLoginCookie(c.Name) }
		if s.jar.Put(c, now, isSession) {
			s.changed.Store(true)
		}
	}
}

// unquote returns the value of a cookie without the quotes around it.
func unquote(value string) string { return strings.Trim(value, `"`) }

// remask rebuilds the masks from the secrets of the session and more cookies. Callers hold s.mu, or
// no other goroutine has s.
func (a *Adapter) remask(s *Session, more ...cookie.Cookie) {
	r := remasking{known: s.patterns, patterns: map[string]*mask.Pattern{}}
	for _, v := range s.secrets {
		r.add(v, "a secret of the login", slices.Contains(s.proofs, v) || mask.Bits(v) >= minOwnBits)
	}
	for _, c := range slices.Concat(s.jar.Cookies(), more) {
		if a.masksCookie(s, c) {
			r.add(unquote(c.Value), "the cookie "+c.Name, a.provesSession(c.Name, c.Value))
		}
	}
	for _, c := range s.rotated {
		r.add(c.value, "the cookie "+c.name, a.provesSession(c.name, c.value))
	}

	s.patterns = r.patterns
	all := mask.New(r.all)
	s.mask.Store(all)

	// A mask takes 75 KB or more. Mostly every pattern is the session's own.
	own := all
	if len(r.own) < len(r.all) {
		own = mask.New(r.own)
	}
	s.own.Store(own)
}

// remasking collects the patterns of a session.
type remasking struct {
	known    map[string]*mask.Pattern // of the masks that are replaced
	patterns map[string]*mask.Pattern
	all, own []*mask.Pattern
}

func (r *remasking) add(value, label string, own bool) {
	if r.patterns[value] != nil {
		return
	}
	p := r.known[value]
	if p == nil {
		p = mask.Compile(value, label)
	}
	r.patterns[value] = p
	r.all = append(r.all, p)
	if own {
		r.own = append(r.own, p)
	}
}

// minOwnBits is how hard a value of an application must be to guess before a request that holds it
// is taken for an attack.
const minOwnBits = 48

// provesSession reports whether a held cookie is what the application knows the session by, so that
// nobody but Byline can have its value: its name says so, and its value cannot be guessed.
func (a *Adapter) provesSession(name, value string) bool {
	return a.namesSessionCookie(name) && mask.Bits(value) >= minOwnBits
}

// namesSessionCookie reports whether the adapter names a cookie as the session's, or whether its name
// is one that sessions have.
func (a *Adapter) namesSessionCookie(name string) bool {
	c := a.spec.Cookies
	for _, named := range slices.Concat(c.Hold, c.Mask, []string{a.spec.Login.Success.Cookie}) {
		if named != "" && named != "*" && text.Glob(named, name, nil) {
			return true
		}
	}
	lower := strings.ToLower(name)
	for _, word := range []string{"sess", "sid", "auth", "token", "jwt", "remember", "login"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

// masksCookie reports whether the value of a cookie is a secret. If cookies.mask is given it decides
// on held cookies. Otherwise values of minCookieSecret bytes and more are secrets, but for the user
// name, which pages show everywhere, and for words, paths and the like in cookies that are not the
// session's. The agent gets the values of cookies that pass or are shared, so they are never secrets.
func (a *Adapter) masksCookie(s *Session, c cookie.Cookie) bool {
	if text.IsToken(c.Name) && (a.passesCookie(c.Name) || a.sharesCookie(c.Name)) {
		return false
	}
	if a.spec.Cookies.Mask != nil {
		return text.GlobAny(a.spec.Cookies.Mask, c.Name, nil)
	}
	if len(c.Value) < minCookieSecret || strings.EqualFold(c.Value, s.username) {
		return false
	}
	return a.namesSessionCookie(c.Name) || !mask.IsPlain(unescapeCookie(c.Value))
}

// unescapeCookie undoes the percent-encoding that many applications apply to values of cookies.
func unescapeCookie(value string) string {
	plain, err := url.QueryUnescape(unquote(value))
	if err != nil {
		return unquote(value)
	}
	return plain
}
