package adapters

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/cookie"
	"github.com/byline-proxy/byline/adapters/internal/digest"
	"github.com/byline-proxy/byline/adapters/internal/mask"
)

// Session is what the application accepts after a login: header fields, parameters, pinned headers
// and a jar of held cookies. It is plain values whatever the kind of login. It prints as REDACTED and
// is safe for concurrent use.
type Session struct {
	redacted
	*sessionState
}

// sessionState is what a Session hides behind a pointer; see redacted. The fields above jar do not
// change once the login is finished.
type sessionState struct {
	scheme, authority string            // where the login took place
	username          string            // "" if the secret has none
	headers           []Field           // of every request
	query             []Field           // parameters of every request
	members           []Field           // of every JSON body: dotted pointer and value
	digest            *digest.Challenge // nil unless the kind is digest
	pins              []pinned
	until             time.Time         // when the application said that the session ends; zero: it did not
	taken             map[string]string // what the steps of the login took, for the logout
	secrets           []string          // what is masked besides cookies
	landing           string            // target of the page to which the login led; "" if none is known
	proofs            []string          // those of them that the vault gave out, or that were made of these

	jar     cookie.Jar
	changed atomic.Bool
	mask    atomic.Pointer[mask.Mask] // nil if there is nothing to mask
	own     atomic.Pointer[mask.Mask] // of what no request of an agent may hold; likewise
	shown   KnownFields               // of answers
	starred mask.Notes                // which secrets were masked

	mu       sync.Mutex               // guards the fields below, and changes of jar and masks
	shownAs  string                   // the account's name as login.identity showed it; "" before
	rotated  []rotatedCookie          // held cookies that were replaced, newest last
	patterns map[string]*mask.Pattern // of every value that the mask covers, so that they are not compiled again
}

// rotatedCookie is a value that a held cookie had.
type rotatedCookie struct{ name, value string }

// pinned is one header as the agent's first request had it.
type pinned struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	Absent bool   `json:"absent,omitempty"` // the first request did not have it, so no other one has
}

// Mask returns a Mask of the session's secrets, including replaced values of cookies, and nil if it
// has none. The Mask is a snapshot: Shield may add cookies that it does not cover.
func (s *Session) Mask() *mask.Mask { return s.mask.Load() }

// Expired reports whether the time that the application gave the session has passed. It returns false
// if the application gave none. A session that has expired should be renewed before the next request:
// a request that changes something cannot be sent again after an answer says that the session is over.
func (s *Session) Expired(now time.Time) bool { return !s.until.IsZero() && !now.Before(s.until) }

// Changed reports whether held cookies have changed since the last Marshal or Restore.
func (s *Session) Changed() bool { return s.changed.Load() }
