package adapters

import (
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// putFields puts the session on dst, which Strip built and the caller owns. The session's headers and
// the pinned ones replace what dst has under their names. One Cookie field has the cookies of the jar
// that fit host, path and tls (RFC 6265 section 5.4), and those of the agent's whose names the jar
// does not have. host may have a port. putFields allocates the value of the Cookie field and what dst
// needs to grow.
func (a *Adapter) putFields(dst []Field, s *Session, agentCookies []Cookie, host, path string, tls bool, now time.Time) []Field {
	kept := dst[:0]
	for _, f := range dst {
		if !s.setsField(f.Name) {
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

	line := cookie.HeaderValue(s.jar.Cookies(), a.withoutShared(agentCookies), hostWithoutPort(host), path, tls, now)
	if line != "" {
		dst = append(dst, Field{Name: "Cookie", Value: line})
	}
	return dst
}

// setsField reports whether the session decides on a header field: it sets the field, or pins it to
// be absent.
func (s *Session) setsField(name string) bool {
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

// withoutShared returns the agent's cookies without the shared ones, which the session has in their
// current state. It returns cookies itself if the adapter shares none.
func (a *Adapter) withoutShared(cookies []Cookie) []Cookie {
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

// pinsOf returns the pinned headers as the agent's first request has them. Accept-Encoding is always
// identity, because an answer in a content coding could not be masked.
func (a *Adapter) pinsOf(fields []Field) []pinned {
	var pins []pinned
	for _, name := range a.spec.Pin {
		p := pinned{Name: name, Absent: true}
		for _, f := range fields {
			if text.SameName(f.Name, name) {
				p = pinned{Name: f.Name, Value: f.Value}
				break
			}
		}
		if strings.EqualFold(name, "Accept-Encoding") {
			p = pinned{Name: "Accept-Encoding", Value: "identity"}
		}
		pins = append(pins, p)
	}
	return pins
}
