package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is an application of the old kind that survives whatever happens to
// the proxy in front of it, and writes down everything that reached it.
type ledger struct {
	*httptest.Server
	passwords map[string]string // user → password; fixed

	mu      sync.Mutex
	owners  map[string]string // cookie → user, also of sessions that are over
	alive   map[string]bool   // cookie
	entries []entry
}

// entry is one request that reached the ledger.
type entry struct {
	User         string // who owns the session that it came with, or logs in
	Alive        bool   // that session was not over
	Method, Path string
}

// item is where entries with a marker of their own are written.
const item = "/item/"

const ledgerHost = "ledger.acme.test"

const ledgerAdapter = `name: ledger
interim: {reason: "no identity but a person's", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [ledger.acme.test]
upstream: {url: "%s"}
cookies: {hold: [sid]}
login:
  kind: form
  steps: [{post: /login, form: {user: "${username}", pass: "${password}"}}]
  success: {status: [302], cookie: sid}
  ended: [{redirect: /login}]
  logout: {steps: [{get: /logout}]}
actions:
  - {name: item.read, match: {method: GET, path: "/item/{id}"}, resource: "item/{id}"}
  - {name: item.write, match: {method: POST, path: "/item/{id}"}, resource: "item/{id}"}
`

func newLedger(t *testing.T, users ...string) *ledger {
	l := &ledger{passwords: map[string]string{}, owners: map[string]string{}, alive: map[string]bool{}}
	for _, u := range users {
		l.passwords[u] = rand.Text()
	}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *ledger) serve(w http.ResponseWriter, r *http.Request) {
	e := l.note(r)
	switch {
	case r.URL.Path == "/login":
		l.login(w, r)
		return
	case !e.Alive:
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	case r.URL.Path == "/logout":
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	marker := strings.TrimPrefix(r.URL.Path, item)
	if strings.HasSuffix(marker, "s") { // a slow one, in pieces
		for range 5 {
			_, _ = io.WriteString(w, strings.Repeat("x", 4096))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * time.Millisecond)
		}
	}
	_, _ = io.WriteString(w, marker)
}

// note writes a request down before anything is done about it.
func (l *ledger) note(r *http.Request) entry {
	e := entry{Method: r.Method, Path: r.URL.Path}
	sid := ""
	if c, err := r.Cookie("sid"); err == nil {
		sid = c.Value
	}
	if e.Path == "/login" {
		e.User = r.FormValue("user")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Path != "/login" {
		e.User, e.Alive = l.owners[sid], l.alive[sid]
	}
	if e.Path == "/logout" {
		delete(l.alive, sid)
	}
	l.entries = append(l.entries, e)
	return e
}

func (l *ledger) login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	if p := l.passwords[user]; p == "" || r.FormValue("pass") != p {
		http.Error(w, "wrong", http.StatusForbidden)
		return
	}
	sid := rand.Text()
	l.mu.Lock()
	l.owners[sid], l.alive[sid] = user, true
	l.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/", http.StatusFound)
}

// seen is everything so far.
func (l *ledger) seen() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]entry(nil), l.entries...)
}

// loggedIn are the users whose sessions are alive.
func (l *ledger) loggedIn() (users []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sid := range l.alive {
		users = append(users, l.owners[sid])
	}
	return users
}

func (e entry) String() string { return fmt.Sprintf("%s %s of %q", e.Method, e.Path, e.User) }
