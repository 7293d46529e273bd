// Package cookie keeps the cookies of one session and parses and writes the fields Set-Cookie and Cookie (RFC 6265).
package cookie

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Cookie is one cookie of a session.
type Cookie struct {
	Name    string    `json:"name"`
	Value   string    `json:"value"`
	Domain  string    `json:"domain"` // lower case, without port and leading dot
	Path    string    `json:"path"`
	Only    bool      `json:"host_only,omitempty"`
	Secure  bool      `json:"secure,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // zero: with the session
}

// Jar keeps the cookies of one session (RFC 6265 section 5.3). The zero value is empty. Readers take the current list
// without a lock; the list is sorted as section 5.4 wants it sent: longer paths first, then the older cookie.
type Jar struct {
	mu   sync.Mutex // writers
	list atomic.Pointer[[]Cookie]
}

// Limits of a jar: what a SaaS may make the proxy keep.
const (
	MaxCookies     = 200
	maxCookieBytes = 8 << 10
)

// Cookies is the list, in the order in which it is sent. The caller must not change it.
func (j *Jar) Cookies() []Cookie {
	if p := j.list.Load(); p != nil {
		return *p
	}
	return nil
}

// Put stores, replaces or deletes a cookie and reports whether the jar changed.
func (j *Jar) Put(c Cookie, now time.Time) (changed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	old := j.Cookies()
	at := slices.IndexFunc(old, c.Replaces)
	gone := !c.Expires.IsZero() && !c.Expires.After(now)
	switch {
	case gone && at < 0:
		return false
	case gone:
		next := slices.Delete(slices.Clone(old), at, at+1)
		j.list.Store(&next)
		return true
	case at >= 0 && old[at] == c:
		return false
	}
	next := slices.Clone(old)
	if at >= 0 {
		next[at] = c // keeps its creation order, section 5.3 step 11.3
	} else if next = append(next, c); len(next) > MaxCookies {
		next = next[1:]
	}
	slices.SortStableFunc(next, func(a, b Cookie) int { return len(b.Path) - len(a.Path) })
	j.list.Store(&next)
	return true
}

// Replace sets the whole list, as Restore and the end of a login do.
func (j *Jar) Replace(list []Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list.Store(&list)
}

// Replaces reports whether c replaces old in a jar (section 5.3 step 11).
func (c *Cookie) Replaces(old Cookie) bool {
	return old.Name == c.Name && old.Domain == c.Domain && old.Path == c.Path
}

// Fits is section 5.4, step 1.
func (c *Cookie) Fits(host, path string, tls bool, now time.Time) bool {
	if c.Secure && !tls || !c.Expires.IsZero() && !c.Expires.After(now) {
		return false
	}
	return (c.Domain == host || !c.Only && domainMatches(host, c.Domain)) && pathMatches(path, c.Path)
}

// domainMatches is section 5.1.3, for a host that is not the domain itself.
func domainMatches(host, domain string) bool {
	if !strings.HasSuffix(host, domain) || len(host) <= len(domain) || host[len(host)-len(domain)-1] != '.' {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

// pathMatches is section 5.1.4.
func pathMatches(path, cookiePath string) bool {
	return strings.HasPrefix(path, cookiePath) &&
		(len(path) == len(cookiePath) || cookiePath[len(cookiePath)-1] == '/' || path[len(cookiePath)] == '/')
}

// defaultPath is section 5.1.4: the directory of the request's path.
func defaultPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 && path[0] == '/' {
		return path[:i]
	}
	return "/"
}
