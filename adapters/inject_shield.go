package adapters

import (
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/mask"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Shield takes the session off the head of an answer: it appends to dst the fields that may reach the
// agent, in order, with the session's secrets masked. It does not change fields. m is what Put
// returned for the request.
//
// A cookie that passes is written from what was parsed; any other goes into the session's jar. Fields
// that carry credentials are removed, and so is Alt-Svc, which would lead the agent past the proxy.
// A Set-Cookie is added for each shared cookie that the agent did not send in its current state.
// Without Set-Cookie, shared cookies and secrets Shield allocates nothing but what dst needs to grow.
func (a *Adapter) Shield(dst []Field, m Masker, fields []Field) []Field {
	a.keepCookies(m.session, fields, m.host, m.path, m.now) // first, so that a new cookie is masked in this answer
	dst = a.shieldFields(dst, m, fields)
	return a.shareCookies(dst, m)
}

// ShieldPart is Shield for the fields of an interim answer and for trailers: it adds no shared
// cookies. With login.identity it changes no session either: nothing could be asked before such a
// cookie is used, and browsers take none from there.
func (a *Adapter) ShieldPart(dst []Field, m Masker, fields []Field) []Field {
	if a.spec.Login.Identity.Get == "" {
		a.keepCookies(m.session, fields, m.host, m.path, m.now)
	}
	return a.shieldFields(dst, m, fields)
}

// shieldFields appends the fields that may reach the agent, masked. A field that the agent was shown
// before is not looked at again, as long as the session has the same secrets: agents get most fields
// with every answer.
func (a *Adapter) shieldFields(dst []Field, m Masker, fields []Field) []Field {
	var known knownLookup
	mayBeKnown := m.isUnchanged()
	if mayBeKnown {
		known = m.session.shown.under(m.sent)
	}

	first := len(dst)
	for i := range fields {
		f := &fields[i]
		switch {
		case text.SameName(f.Name, "Set-Cookie"):
			c, ok := cookie.ParseSet(f.Value)
			if ok && a.passesSetCookie(&c) {
				dst = append(dst, Field{Name: "Set-Cookie", Value: m.Text(c.String())})
			}
		case a.withholdsAnswerField(f.Name):
			// It may carry the session.
		case mayBeKnown && known.has(f):
			dst = append(dst, *f)
		default:
			dst = append(dst, Field{Name: m.Text(f.Name), Value: m.Text(f.Value)})
		}
	}

	if mayBeKnown {
		m.session.shown.learn(&known, dst[first:])
	}
	return dst
}

// isUnchanged reports whether the session has the secrets that it had when the request went out.
func (m *Masker) isUnchanged() bool {
	return m.sent != nil && m.session.mask.Load() == m.sent
}

// passesSetCookie reports whether an answer may set a cookie at the agent. A name that is not a token
// could not come back in a Cookie field.
func (a *Adapter) passesSetCookie(c *cookie.SetCookie) bool {
	return text.IsToken(c.Name) && a.passesCookie(c.Name)
}

// shareCookies appends a Set-Cookie for each shared cookie of the session that the agent did not send
// in its current state. Most adapters share none.
func (a *Adapter) shareCookies(dst []Field, m Masker) []Field {
	if len(a.spec.Cookies.Share) == 0 {
		return dst
	}

	for _, c := range m.session.jar.Cookies() {
		if !a.sharesCookie(c.Name) || !c.Fits(m.host, m.path, true, m.now) || slices.Contains(m.cookies, Cookie{c.Name, c.Value}) {
			continue
		}
		set := cookie.SetCookie{Name: c.Name, Value: c.Value, Path: c.Path, Secure: c.Secure, SameSite: "Lax"}
		if !c.HostOnly {
			set.Domain = c.Domain
		}
		dst = append(dst, Field{Name: "Set-Cookie", Value: set.String()})
	}
	return dst
}

// keepCookies puts the cookies of an answer that do not pass into the session's jar.
func (a *Adapter) keepCookies(s *Session, fields []Field, host, path string, now time.Time) {
	var held []cookie.Cookie
	for i := range fields {
		if !text.SameName(fields[i].Name, "Set-Cookie") {
			continue
		}
		c, ok := cookie.ParseSet(fields[i].Value)
		if !ok || a.passesSetCookie(&c) {
			continue
		}
		if h, ok := c.At(host, path, now); ok {
			held = append(held, h)
		}
	}

	if len(held) > 0 {
		a.holdCookies(s, now, held...)
	}
}

// withholdsAnswerField reports whether a field of an answer may carry the session, by its name.
func (a *Adapter) withholdsAnswerField(name string) bool {
	return a.answerNames.lookUp(name, a.treatmentOfAnswerName) == withhold
}

// treatmentOfAnswerName decides on a field of an answer: forward or withhold.
func (a *Adapter) treatmentOfAnswerName(name string) treatment {
	var buf [64]byte
	lower := string(text.AppendFolded(buf[:0], name))
	switch lower {
	case "alt-svc", "authentication-info", "proxy-authentication-info":
		return withhold
	case "www-authenticate", "origin-agent-cluster", "cross-origin-resource-policy", "via":
		return forward
	}
	if strings.HasPrefix(lower, "sec-websocket-") || strings.HasPrefix(lower, "access-control-") {
		return forward // their values are names of fields and protocols
	}

	if text.ContainsName(a.spec.Headers.Strip, name) || a.setsHeader(name) {
		return withhold
	}
	if namesCredential(lower) && !text.ContainsName(a.spec.Headers.Pass, name) {
		return withhold
	}
	return forward
}

// Masker masks what one exchange may show its agent: the secrets that the session has at the moment,
// and those that it had when the request went out. Put returns it. It belongs to one exchange and is
// safe for concurrent use. The zero value masks nothing.
type Masker struct {
	masker
	sent    *mask.Mask // the session's when the request went out; nil if there was nothing to mask
	session *Session
	host    string // without port
	path    string
	cookies []Cookie // the agent's own
	now     time.Time
}

// LinesHeld returns how often the text of an answer paused in the middle of a line. The Masker holds
// such a line back for 100 ms.
func LinesHeld() uint64 { return mask.LinesHeld() }

// masker gives Masker its methods InPlace, Masks, Reader and Text.
type masker = mask.Masker

// masker returns the Masker of an exchange whose request has just got the session's cookies.
func (s *Session) masker(r *Outgoing) Masker {
	sent := s.mask.Load() // before NewMasker loads it: if it is still the same later, both have it
	return Masker{
		sent:    sent,
		masker:  mask.NewMasker(&s.mask, &s.starred),
		session: s,
		host:    hostWithoutPort(r.Host),
		path:    r.Path,
		cookies: r.Cookies,
		now:     r.Now,
	}
}

// TakeStarred returns what secrets were masked for the first time since the last call, without their
// values.
func (s *Session) TakeStarred() []string { return s.starred.Take() }
