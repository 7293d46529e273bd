package origin

import (
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
)

// CookieName is the name of the application's session cookie.
const CookieName = "bench_session"

// holder says whose session a request carries.
type holder int32

const (
	nobody holder = iota
	person
	account
)

// sessions knows who is logged in, and counts requests.
type sessions struct {
	mu         sync.RWMutex
	holders    map[string]holder // by session id
	formTokens map[string]bool   // hidden fields of login forms that were sent and not used yet

	requests   [account + 1]atomic.Int64 // by holder
	logins     atomic.Int64
	logouts    atomic.Int64
	handshakes atomic.Int64
	resumed    atomic.Int64
}

// newSessions returns a table with one session: that of the person whose session
// agents borrow.
func newSessions(borrowed string) *sessions {
	return &sessions{holders: map[string]holder{borrowed: person}, formTokens: map[string]bool{}}
}

// Counts is what the origin has seen since it started. A proxy under test cannot
// forge these numbers, so they show whether its controls were in force.
type Counts struct {
	ByPerson   int64 `json:"by_person"`  // requests with the session of the person
	ByAccount  int64 `json:"by_account"` // requests with a session that was created by a login
	Refused    int64 `json:"refused"`    // requests without a valid session, answered with 401
	Logins     int64 `json:"logins"`
	Logouts    int64 `json:"logouts"`
	Handshakes int64 `json:"handshakes"` // completed TLS handshakes
	Resumed    int64 `json:"resumed"`    // handshakes that resumed a session
}

// Minus returns what was added since the earlier counts.
func (c Counts) Minus(earlier Counts) Counts {
	return Counts{
		ByPerson:   c.ByPerson - earlier.ByPerson,
		ByAccount:  c.ByAccount - earlier.ByAccount,
		Refused:    c.Refused - earlier.Refused,
		Logins:     c.Logins - earlier.Logins,
		Logouts:    c.Logouts - earlier.Logouts,
		Handshakes: c.Handshakes - earlier.Handshakes,
		Resumed:    c.Resumed - earlier.Resumed,
	}
}

func (s *sessions) counts() Counts {
	return Counts{
		ByPerson:   s.requests[person].Load(),
		ByAccount:  s.requests[account].Load(),
		Refused:    s.requests[nobody].Load(),
		Logins:     s.logins.Load(),
		Logouts:    s.logouts.Load(),
		Handshakes: s.handshakes.Load(),
		Resumed:    s.resumed.Load(),
	}
}

// holderOf returns the holder of the session in the value of a Cookie field.
func (s *sessions) holderOf(cookies string) holder {
	id := sessionID(cookies)
	if id == "" {
		return nobody
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.holders[id]
}

// sessionID returns the session cookie in the value of a Cookie field, or "".
func sessionID(cookies string) string {
	for pair := range strings.SplitSeq(cookies, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(pair), CookieName+"="); ok {
			return id
		}
	}
	return ""
}

// newFormToken returns the hidden field of a new login form.
func (s *sessions) newFormToken() string {
	token := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.formTokens[token] = true
	return token
}

// logIn creates a session for an account if the password is right and the token
// is that of a form which was not used yet.
func (s *sessions) logIn(user, password, token string) (id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.formTokens[token] || user == "" || password != Password(user) {
		return "", false
	}
	delete(s.formTokens, token)
	id = rand.Text()
	s.holders[id] = account
	s.logins.Add(1)
	return id, true
}

// logOut ends the session of an account. It does nothing for the person's
// session, or if cookies contain none.
func (s *sessions) logOut(cookies string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := sessionID(cookies)
	if s.holders[id] == account {
		delete(s.holders, id)
		s.logouts.Add(1)
	}
}

// Password returns the password of an account.
func Password(user string) string { return "correct-horse-" + user }
