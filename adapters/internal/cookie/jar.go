// Package cookie keeps the cookies of one session, and parses and writes the fields Set-Cookie and
// Cookie (RFC 6265).
package cookie

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Cookie is one cookie in a Jar.
type Cookie struct {
	Name     string    `json:"name"`
	Value    string    `json:"value"`
	Domain   string    `json:"domain"` // lower case, without port and leading dot
	Path     string    `json:"path"`
	HostOnly bool      `json:"host_only,omitempty"` // it is not sent to hosts below Domain
	Secure   bool      `json:"secure,omitempty"`
	Expires  time.Time `json:"expires,omitzero"` // zero: with the session
}

// Limits on what an application may make the proxy keep.
const (
	MaxCookies     = 200
	maxCookieBytes = 8 << 10
)

// Jar keeps the cookies of one session (RFC 6265 section 5.3). The zero value is empty. It is safe for
// concurrent use; readers do not wait for writers.
type Jar struct {
	mu   sync.Mutex               // held by writers
	list atomic.Pointer[[]Cookie] // sorted as section 5.4 sends it: longer paths first, then older cookies
}

// Cookies returns the cookies in the order in which they are sent. The caller must not change the
// slice.
func (j *Jar) Cookies() []Cookie {
	list := j.list.Load()
	if list == nil {
		return nil
	}
	return *list
}

// State returns a value that is equal to that of another time if the jar has not changed in between.
func (j *Jar) State() any { return j.list.Load() }

// Put stores, replaces or deletes a cookie and reports whether the jar has changed. A cookie that has
// expired deletes the one that it replaces. A full jar makes room as makeRoom says.
func (j *Jar) Put(c Cookie, now time.Time, isSession func(Cookie) bool) (changed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()

	old := j.Cookies()
	at := slices.IndexFunc(old, c.Replaces)
	if c.hasExpired(now) {
		if at < 0 {
			return false
		}
		list := slices.Delete(slices.Clone(old), at, at+1)
		j.list.Store(&list)
		return true
	}
	if at >= 0 && old[at] == c {
		return false
	}

	list := slices.Clone(old)
	if at >= 0 {
		list[at] = c // in its place: it keeps its time of creation, section 5.3 step 11.3
	} else {
		list = append(makeRoom(list, now, isSession), c)
		if len(list) > MaxCookies {
			return false
		}
	}
	slices.SortStableFunc(list, func(a, b Cookie) int { return len(b.Path) - len(a.Path) })
	j.list.Store(&list)
	return true
}

// makeRoom removes from a full list the cookies that have expired or else one that is not of the
// session, so that no other cookie takes the session's place (section 5.3, excess cookies).
func makeRoom(list []Cookie, now time.Time, isSession func(Cookie) bool) []Cookie {
	if len(list) < MaxCookies {
		return list
	}
	list = slices.DeleteFunc(list, func(old Cookie) bool { return old.hasExpired(now) })
	if len(list) < MaxCookies {
		return list
	}
	at := slices.IndexFunc(list, func(old Cookie) bool { return !isSession(old) })
	if at < 0 {
		return list
	}
	return slices.Delete(list, at, at+1)
}

// Replace replaces all cookies. list must be in the order in which Cookies returned it, and the caller
// must not change it later.
func (j *Jar) Replace(list []Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()

	j.list.Store(&list)
}

// Replaces reports whether c replaces old in a jar (section 5.3 step 11).
func (c *Cookie) Replaces(old Cookie) bool {
	return old.Name == c.Name && old.Domain == c.Domain && old.Path == c.Path
}

// Fits reports whether a request has the cookie (section 5.4 step 1). host is in lower case and
// without port.
func (c *Cookie) Fits(host, path string, tls bool, now time.Time) bool {
	if c.Secure && !tls || c.hasExpired(now) {
		return false
	}
	isHost := c.Domain == host || !c.HostOnly && isSubdomain(host, c.Domain)
	return isHost && pathMatches(path, c.Path)
}

func (c *Cookie) hasExpired(now time.Time) bool { return !c.Expires.IsZero() && !c.Expires.After(now) }

// isSubdomain reports whether host domain-matches domain and is not the domain itself (section 5.1.3).
// IP addresses have no subdomains.
func isSubdomain(host, domain string) bool {
	if !strings.HasSuffix(host, domain) || len(host) <= len(domain) || host[len(host)-len(domain)-1] != '.' {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

// pathMatches reports whether path path-matches cookiePath (section 5.1.4).
func pathMatches(path, cookiePath string) bool {
	return strings.HasPrefix(path, cookiePath) &&
		(len(path) == len(cookiePath) || cookiePath[len(cookiePath)-1] == '/' || path[len(cookiePath)] == '/')
}

// defaultPath returns the default path of a cookie that the answer to a request for path sets (section
// 5.1.4).
func defaultPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 && path[0] == '/' {
		return path[:i]
	}
	return "/"
}
