package origin

import (
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
)

// CookieName is the application's session cookie.
const CookieName = "bench_session"

// holder says whose session a request carries.
type holder int32

const (
	nobody holder = iota
	person
	account
)

// sessions is the application's table of who is logged in.
type sessions struct {
	mu      sync.RWMutex
	holders map[string]holder
	tokens  map[string]bool // hidden fields of login forms that were handed out and not used yet

	requests  [account + 1]atomic.Int64 // by holder
	logins    atomic.Int64
	logouts   atomic.Int64
	handshake atomic.Int64
	resumed   atomic.Int64
}

func newSessions(borrowed string) *sessions {
	return &sessions{holders: map[string]holder{borrowed: person}, tokens: map[string]bool{}}
}

// Counts is what the origin has seen since it started. A proxy under test
// cannot make these up, so they say whether its controls were on.
type Counts struct {
	ByPerson   int64 `json:"by_person"`  // requests with the person's session cookie
	ByAccount  int64 `json:"by_account"` // requests with a session that the login form made
	Refused    int64 `json:"refused"`    // requests without a live session, answered 401
	Logins     int64 `json:"logins"`
	Logouts    int64 `json:"logouts"`
	Handshakes int64 `json:"handshakes"` // TLS handshakes completed
	Resumed    int64 `json:"resumed"`    // those of them that resumed a session
}

// Minus is what was added since an earlier count.
func (c Counts) Minus(was Counts) Counts {
	return Counts{c.ByPerson - was.ByPerson, c.ByAccount - was.ByAccount, c.Refused - was.Refused,
		c.Logins - was.Logins, c.Logouts - was.Logouts, c.Handshakes - was.Handshakes, c.Resumed - was.Resumed}
}

func (s *sessions) counts() Counts {
	return Counts{s.requests[person].Load(), s.requests[account].Load(), s.requests[nobody].Load(),
		s.logins.Load(), s.logouts.Load(), s.handshake.Load(), s.resumed.Load()}
}

// who finds the holder of the session cookie in one Cookie header.
func (s *sessions) who(cookies string) holder {
	value := sessionIn(cookies)
	if value == "" {
		return nobody
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.holders[value]
}

func sessionIn(cookies string) string {
	for pair := range strings.SplitSeq(cookies, ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(pair), CookieName+"="); ok {
			return v
		}
	}
	return ""
}

// form hands out the hidden field of one login form.
func (s *sessions) form() string {
	t := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t] = true
	return t
}

// login opens a session for an account whose password fits; the form's token
// works once.
func (s *sessions) login(user, password, token string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tokens[token] || user == "" || password != Password(user) {
		return "", false
	}
	delete(s.tokens, token)
	id := rand.Text()
	s.holders[id] = account
	s.logins.Add(1)
	return id, true
}

func (s *sessions) logout(cookies string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := sessionIn(cookies)
	if s.holders[id] == account {
		delete(s.holders, id)
		s.logouts.Add(1)
	}
}

// Password is what the application expects of an account.
func Password(user string) string { return "correct-horse-" + user }
