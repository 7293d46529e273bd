package adapters

import (
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// putFields puts the session on dst, which Strip built and the caller owns: the session's headers and the pinned ones
// replace what dst has under their names, and one Cookie field carries the jar's cookies that fit host, path and tls
// (RFC 6265 section 5.4) and the agent's cookies. An agent's cookie never goes out beside or instead of a held one of
// its name. host may have a port. It allocates the Cookie value and what dst may need to grow.
func (a *Adapter) putFields(dst []Field, s *Session, agentCookies []Cookie, host, path string, tls bool, now time.Time) []Field {
	kept := dst[:0]
	for _, f := range dst {
		if !s.replaces(f.Name) {
			kept = append(kept, f)
		}
	}
	clear(dst[len(kept):])
	dst = append(kept, s.headers...)
	for i := range s.pins {
		if !s.pins[i].Absent {
			dst = append(dst, Field{Name: s.pins[i].Name, Value: s.pins[i].Value})
		}
	}
	if line := cookie.Line(s.jar.Cookies(), a.unshared(agentCookies), hostWithoutPort(host), path, tls, now); line != "" {
		dst = append(dst, Field{Name: "Cookie", Value: line})
	}
	return dst
}

// replaces: the session says what stands under that name.
func (s *Session) replaces(name string) bool {
	for i := range s.headers {
		if text.SameName(s.headers[i].Name, name) {
			return true
		}
	}
	for i := range s.pins {
		if text.SameName(s.pins[i].Name, name) {
			return true
		}
	}
	return text.SameName(name, "cookie") || s.digest != nil && text.SameName(name, "authorization")
}

// unshared leaves out the cookies that the session has anyway; the same slice when there are none.
func (a *Adapter) unshared(cookies []Cookie) []Cookie {
	if len(a.spec.Cookies.Share) == 0 {
		return cookies
	}
	var kept []Cookie
	for _, c := range cookies {
		if !a.sharesCookie(c.Name) {
			kept = append(kept, c)
		}
	}
	return kept
}

// pinsOf takes the pinned headers from the first request. Accept-Encoding is always identity: an answer in a coding
// could not be masked.
func (a *Adapter) pinsOf(fields []Field) []pinned {
	var pins []pinned
	for _, name := range a.spec.Pin {
		p := pinned{Name: name, Absent: true}
		for _, f := range fields {
			if p.Absent && text.SameName(f.Name, name) {
				p = pinned{Name: f.Name, Value: f.Value}
			}
		}
		if strings.EqualFold(name, "Accept-Encoding") {
			p = pinned{Name: "Accept-Encoding", Value: "identity"}
		}
		pins = append(pins, p)
	}
	return pins
}
