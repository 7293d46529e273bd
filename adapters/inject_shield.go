package adapters

import (
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/mask"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Shield takes the session off the head of an answer: it appends to dst the fields that may reach the agent, in order.
// A cookie that is held, or that the adapter does not name, goes into the session's jar; one that passes is written
// again from what was parsed. Credential headers are left out, and Alt-Svc, which would lead the agent past the proxy.
// Values are masked. A Set-Cookie is added for each shared cookie that the agent does not have as it is now. fields is
// not edited. Without Set-Cookie, shared cookies and secrets it does not allocate beyond dst.
func (a *Adapter) Shield(dst []Field, m Masker, fields []Field) []Field {
	dst = a.ShieldPart(dst, m, fields)
	return a.shareCookies(dst, m)
}

// ShieldPart is Shield for the fields of an interim answer and for trailers: it adds no shared cookies.
func (a *Adapter) ShieldPart(dst []Field, m Masker, fields []Field) []Field {
	a.keepCookies(m.session, fields, m.host, m.path, m.now) // first: what arrives in this answer is masked in it, too

	for i := range fields {
		f := &fields[i]
		switch {
		case strings.EqualFold(f.Name, "Set-Cookie"):
			if c, ok := cookie.ParseSet(f.Value); ok && text.IsToken(c.Name) && a.passesCookie(c.Name) {
				dst = append(dst, Field{Name: "Set-Cookie", Value: m.Text(c.String())})
			}
		case a.keepsBack(f.Name):
		default:
			dst = append(dst, Field{Name: f.Name, Value: m.Text(f.Value)})
		}
	}
	return dst
}

// shareCookies appends a Set-Cookie for each shared cookie of the session that the agent does not have as it is now;
// most adapters share none.
func (a *Adapter) shareCookies(dst []Field, m Masker) []Field {
	if len(a.spec.Cookies.Share) == 0 {
		return dst
	}

	for _, c := range m.session.jar.Cookies() {
		if !a.sharesCookie(c.Name) || !c.Fits(m.host, m.path, true, m.now) || slices.Contains(m.cookies, Cookie{c.Name, c.Value}) {
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
	return a.answerNames.of(name, a.judgeBack) == borrowed
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

// Masker masks what one exchange may show its agent: the secrets that the session has at the moment, and those that it
// had when the request went out. It is made by Put, belongs to one exchange, and is safe for concurrent use. The zero
// value masks nothing.
type Masker struct {
	masker
	session *Session
	host    string // without port
	path    string
	cookies []Cookie // the agent's own
	now     time.Time
}

// masker gives Masker its methods InPlace, Masks, Reader and Text.
type masker = mask.Masker

// masker is the Masker for a request that s is put on now.
func (s *Session) masker(r *Outgoing) Masker {
	return Masker{
		masker:  mask.NewMasker(&s.mask),
		session: s,
		host:    hostWithoutPort(r.Host),
		path:    r.Path,
		cookies: r.Cookies,
		now:     r.Now,
	}
}
