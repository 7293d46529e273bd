package adapters

import (
	"slices"
	"strings"
	"time"
)

// Shield appends to dst what of an answer's fields may reach the agent, in order. Set-Cookie: a held or unnamed cookie
// goes into the session's jar, a passed one goes on, written anew. Credential headers and Alt-Svc (which would lead
// the agent past the proxy) are left out, and values are masked. fields is not edited. host may have a port; path is
// the request's. Without Set-Cookie and secrets it does not allocate beyond dst.
func (a *Adapter) Shield(dst []Field, v Veil, fields []Field, host, path string, now time.Time) []Field {
	a.keepCookies(v.s, fields, hostOnly(host), path, now) // first: what arrives in this answer is masked in it, too
	for i := range fields {
		f := &fields[i]
		switch {
		case strings.EqualFold(f.Name, "Set-Cookie"):
			if c, ok := parseSetCookie(f.Value); ok && cookieName(c.name) && a.passesCookie(c.name) {
				dst = append(dst, Field{Name: "Set-Cookie", Value: v.text(c.String())})
			}
		case a.keepsBack(f.Name):
		default:
			dst = append(dst, Field{Name: f.Name, Value: v.text(f.Value)})
		}
	}
	return dst
}

// Share appends a Set-Cookie for each shared cookie of the session that the agent does not have as it is now; most
// adapters share none. agentCookies are what Strip kept of the request. Call it after Shield.
func (a *Adapter) Share(dst []Field, s *Session, agentCookies []Cookie, host, path string, now time.Time) []Field {
	if len(a.spec.Cookies.Share) == 0 {
		return dst
	}
	host = hostOnly(host)
	for _, c := range s.jar.cookies() {
		if !a.sharesCookie(c.Name) || !c.fits(host, path, true, now) || slices.Contains(agentCookies, Cookie{c.Name, c.Value}) {
			continue
		}
		given := setCookie{name: c.Name, value: c.Value, path: c.Path, secure: c.Secure, sameSite: "Lax"}
		if !c.Only {
			given.domain = c.Domain
		}
		dst = append(dst, Field{Name: "Set-Cookie", Value: given.String()})
	}
	return dst
}

// keepCookies is the half of Shield that fills the jar.
func (a *Adapter) keepCookies(s *Session, fields []Field, host, path string, now time.Time) {
	var held []heldCookie
	for i := range fields {
		if !strings.EqualFold(fields[i].Name, "Set-Cookie") {
			continue
		}
		c, ok := parseSetCookie(fields[i].Value)
		if !ok || cookieName(c.name) && a.passesCookie(c.name) {
			continue
		}
		if h, ok := c.held(host, path, now); ok {
			held = append(held, h)
		}
	}
	if len(held) > 0 {
		a.hold(s, now, held...)
	}
}

// cookieName: only a token may pass; odd names are held.
func cookieName(name string) bool {
	for i := 0; i < len(name); i++ {
		if !tokenByte(name[i]) {
			return false
		}
	}
	return name != ""
}

// keepsBack: a header of an answer that may carry the session. It is told by its name alone, and looked up.
func (a *Adapter) keepsBack(name string) bool {
	return a.backs.of(name, a.judgeBack) == borrowed
}

func (a *Adapter) judgeBack(name string) verdictOn {
	if a.carriesBack(name) {
		return borrowed
	}
	return passes
}

func (a *Adapter) carriesBack(name string) bool {
	var room [64]byte
	lower := string(canonical(room[:0], name))
	switch lower {
	case "alt-svc", "authentication-info", "proxy-authentication-info":
		return true
	case "www-authenticate", "origin-agent-cluster", "cross-origin-resource-policy", "via":
		return false
	}
	if strings.HasPrefix(lower, "sec-websocket-") || strings.HasPrefix(lower, "access-control-") {
		return false // these name headers, they carry none
	}
	if named(a.spec.Headers.Strip, name) || a.setsHeader(name) {
		return true
	}
	return !named(a.spec.Headers.Pass, name) && looksCredential(lower)
}
