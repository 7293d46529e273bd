package adapters

import (
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/mask"
	"github.com/byline-proxy/byline/adapters/internal/text"
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
			if c, ok := cookie.ParseSet(f.Value); ok && text.IsToken(c.Name) && a.passesCookie(c.Name) {
				dst = append(dst, Field{Name: "Set-Cookie", Value: v.Text(c.String())})
			}
		case a.keepsBack(f.Name):
		default:
			dst = append(dst, Field{Name: f.Name, Value: v.Text(f.Value)})
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
	for _, c := range s.jar.Cookies() {
		if !a.sharesCookie(c.Name) || !c.Fits(host, path, true, now) || slices.Contains(agentCookies, Cookie{c.Name, c.Value}) {
			continue
		}
		given := cookie.SetCookie{Name: c.Name, Value: c.Value, Path: c.Path, Secure: c.Secure, SameSite: "Lax"}
		if !c.Only {
			given.Domain = c.Domain
		}
		dst = append(dst, Field{Name: "Set-Cookie", Value: given.String()})
	}
	return dst
}

// keepCookies is the half of Shield that fills the jar.
func (a *Adapter) keepCookies(s *Session, fields []Field, host, path string, now time.Time) {
	var held []cookie.Cookie
	for i := range fields {
		if !strings.EqualFold(fields[i].Name, "Set-Cookie") {
			continue
		}
		c, ok := cookie.ParseSet(fields[i].Value)
		if !ok || text.IsToken(c.Name) && a.passesCookie(c.Name) {
			continue
		}
		if h, ok := c.At(host, path, now); ok {
			held = append(held, h)
		}
	}
	if len(held) > 0 {
		a.hold(s, now, held...)
	}
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
	lower := string(text.AppendFolded(room[:0], name))
	switch lower {
	case "alt-svc", "authentication-info", "proxy-authentication-info":
		return true
	case "www-authenticate", "origin-agent-cluster", "cross-origin-resource-policy", "via":
		return false
	}
	if strings.HasPrefix(lower, "sec-websocket-") || strings.HasPrefix(lower, "access-control-") {
		return false // these name headers, they carry none
	}
	if text.ContainsName(a.spec.Headers.Strip, name) || a.setsHeader(name) {
		return true
	}
	return !text.ContainsName(a.spec.Headers.Pass, name) && looksCredential(lower)
}

// Veil masks what one exchange may show its agent: the session's secrets as they are at the moment, and those that the
// session had when the request went out. The zero value masks nothing.
type Veil struct {
	s *Session
	mask.Masker
}

// Veil is for an exchange whose session is put on now.
func (s *Session) Veil() Veil { return Veil{s, mask.NewMasker(&s.mask)} }
