package adapters

import (
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
	var added []string
	for _, c := range cookies {
		at := slices.IndexFunc(before, c.Replaces)
		if at >= 0 && before[at] == c {
			continue
		}
		changes = true
		if a.masksCookie(s, c) {
			added = append(added, unquote(c.Value))
		}
		if at >= 0 && before[at].Value != c.Value && a.masksCookie(s, before[at]) {
			s.rotated = append(s.rotated, unquote(before[at].Value))
		}
	}
	if !changes {
		return
	}

	s.rotated = s.rotated[max(len(s.rotated)-maxRotated, 0):]
	a.remask(s, added...)
	for _, c := range cookies {
		if s.jar.Put(c, now) {
			s.changed.Store(true)
		}
	}
}

// unquote returns the value of a cookie without the quotes around it.
func unquote(value string) string { return strings.Trim(value, `"`) }

// remask rebuilds the Mask from the secrets of the session and more values. Callers hold s.mu, or no
// other goroutine has s.
func (a *Adapter) remask(s *Session, more ...string) {
	values := slices.Concat(s.secrets, s.rotated, more)
	for _, c := range s.jar.Cookies() {
		if a.masksCookie(s, c) {
			values = append(values, unquote(c.Value))
		}
	}

	forms := make(map[string][][]byte, len(values))
	var all [][]byte
	for _, v := range values {
		if _, done := forms[v]; done {
			continue
		}
		known, ok := s.forms[v]
		if !ok {
			known = mask.Forms(v)
		}
		forms[v] = known
		all = append(all, known...)
	}
	s.forms = forms
	s.mask.Store(mask.New(all))
}

// masksCookie reports whether the value of a cookie is a secret. If cookies.mask is given it decides
// on held cookies. Otherwise values of minCookieSecret bytes and more are secrets, but for the user
// name, which pages show everywhere. The agent gets the values of cookies that pass or are shared, so
// they are never secrets.
func (a *Adapter) masksCookie(s *Session, c cookie.Cookie) bool {
	if text.IsToken(c.Name) && (a.passesCookie(c.Name) || a.sharesCookie(c.Name)) {
		return false
	}
	if a.spec.Cookies.Mask != nil {
		return text.GlobAny(a.spec.Cookies.Mask, c.Name, nil)
	}
	return len(c.Value) >= minCookieSecret && !strings.EqualFold(c.Value, s.username)
}
