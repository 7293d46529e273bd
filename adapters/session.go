package adapters

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/digest"
	"github.com/byline-proxy/byline/adapters/internal/mask"
	"github.com/byline-proxy/byline/adapters/internal/text"
)

// Session is what the SaaS accepts after login: headers, pinned headers and a jar of held cookies. It is plain values,
// whatever the kind of login. It prints as REDACTED and is safe for concurrent use.
type Session struct {
	redacted
	*sessionState
}

// sessionState is what a Session hides behind a pointer; see redacted.
type sessionState struct {
	scheme, authority string // where the login took place
	headers           []Field
	query             []Field           // parameters of every request
	members           []Field           // of every JSON body: dotted pointer and value
	digest            *digest.Challenge // of kind digest; nil: none
	pins              []pinned
	until             time.Time         // when the SaaS said that it ends; zero: it did not
	taken             map[string]string // what the login took, for the logout
	secrets           []string          // what is masked besides cookies
	username          string
	jar               cookie.Jar
	changed           atomic.Bool
	mask              atomic.Pointer[mask.Mask]

	mu      sync.Mutex
	rotated []string            // values of held cookies that were replaced, newest last
	forms   map[string][][]byte // of every value that the mask was made of
}

// pinned is one header as the first request of the session had it; Absent: it had none, and nor will the others.
type pinned struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	Absent bool   `json:"absent,omitempty"`
}

// maxRotated bounds how many replaced cookie values stay masked.
const maxRotated = 32

// Mask overwrites the session's secrets, replaced cookie values included. Nil when it has none. The Mask is a
// snapshot: ask after Shield, which may have put new cookies into the jar.
func (s *Session) Mask() *mask.Mask { return s.mask.Load() }

// Expired reports whether the time that the SaaS gave the session has passed; it is false when it gave none. Renew before
// the next request: an answer that says so may come too late for one that must not be sent twice.
func (s *Session) Expired(now time.Time) bool { return !s.until.IsZero() && !now.Before(s.until) }

// Changed reports whether held cookies changed since the last Marshal or Restore.
func (s *Session) Changed() bool { return s.changed.Load() }

// hold puts cookies into the jar and keeps the values they replace masked. They are masked before they can be read
// from the jar, and so before one of them can go out.
func (a *Adapter) holdCookies(s *Session, now time.Time, cookies ...cookie.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, changes := s.jar.Cookies(), false
	var fresh []string
	for _, c := range cookies {
		at := slices.IndexFunc(before, func(o cookie.Cookie) bool { return o.Name == c.Name && o.Domain == c.Domain && o.Path == c.Path })
		if at >= 0 && before[at] == c {
			continue
		}
		changes = true
		if a.masksCookie(s, c) {
			fresh = append(fresh, bare(c))
		}
		if at >= 0 && before[at].Value != c.Value && a.masksCookie(s, before[at]) {
			s.rotated = append(s.rotated, bare(before[at]))
		}
	}
	if !changes {
		return
	}
	s.rotated = s.rotated[max(len(s.rotated)-maxRotated, 0):]
	a.remask(s, fresh...)
	for _, c := range cookies {
		if s.jar.Put(c, now) {
			s.changed.Store(true)
		}
	}
}

func bare(c cookie.Cookie) string { return strings.Trim(c.Value, `"`) }

// remask builds the Mask anew, with more values than the session has. Callers hold s.mu, or own s alone.
func (a *Adapter) remask(s *Session, more ...string) {
	values := slices.Concat(s.secrets, s.rotated, more)
	for _, c := range s.jar.Cookies() {
		if a.masksCookie(s, c) {
			values = append(values, bare(c))
		}
	}
	known := make(map[string][][]byte, len(values))
	var all [][]byte
	for _, v := range values {
		if _, twice := known[v]; twice {
			continue
		}
		forms, ok := s.forms[v]
		if !ok {
			forms = mask.Forms(v)
		}
		known[v] = forms
		all = append(all, forms...)
	}
	s.forms = known
	s.mask.Store(mask.New(all))
}

// masksCookie: cookies.mask decides where it is given; else a held value counts as a secret from 8 bytes on, unless
// it is the user name, which pages show everywhere. A cookie that passes, and is in the jar only for a login or logout
// under way, is the agent's to see.
func (a *Adapter) masksCookie(s *Session, c cookie.Cookie) bool {
	if text.IsToken(c.Name) && (a.passesCookie(c.Name) || a.sharesCookie(c.Name)) {
		return false
	}
	if a.spec.Cookies.Mask != nil {
		return text.GlobAny(a.spec.Cookies.Mask, c.Name, nil)
	}
	return len(c.Value) >= 8 && !strings.EqualFold(c.Value, s.username)
}
