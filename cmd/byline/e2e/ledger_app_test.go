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

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest"
)

// ledgerApp is an application that keeps every request that reached it. It runs
// in the test process, so it outlives whatever is done to the server.
type ledgerApp struct {
	*httptest.Server
	passwords map[string]string // by user; not changed after newLedgerApp

	mu      sync.Mutex        // guards the fields below
	owners  map[string]string // cookie → user, ended sessions included
	live    map[string]bool   // cookies of live sessions
	entries []ledgerEntry
}

// ledgerEntry is one request that reached the application.
type ledgerEntry struct {
	User         string // of the session, or whose login it is
	Live         bool   // the session was live
	Method, Path string
}

func (e ledgerEntry) String() string { return fmt.Sprintf("%s %s of %q", e.Method, e.Path, e.User) }

const ledgerHost = "ledger.acme.test"

// itemPath is followed by a marker that is unique to a request. The answer ends
// with the marker.
const itemPath = "/item/"

// socketPath is followed by a marker, too. There is a WebSocket that returns messages.
const socketPath = "/socket/"

// landingPath is the page to which a login leads.
const landingPath = "/"

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

func newLedgerApp(t *testing.T, users ...string) *ledgerApp {
	l := &ledgerApp{passwords: map[string]string{}, owners: map[string]string{}, live: map[string]bool{}}
	for _, u := range users {
		l.passwords[u] = rand.Text()
	}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *ledgerApp) serve(w http.ResponseWriter, r *http.Request) {
	e := l.addEntry(r)
	switch {
	case r.URL.Path == "/login":
		l.login(w, r)
		return
	case !e.Live:
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	case r.URL.Path == "/logout":
		return
	case strings.HasPrefix(r.URL.Path, socketPath):
		returnMessages(w, r)
		return
	}

	_, _ = io.Copy(io.Discard, r.Body)
	marker := strings.TrimPrefix(r.URL.Path, itemPath)
	if isSlowMarker(marker) {
		for range 5 {
			_, _ = io.WriteString(w, strings.Repeat("x", 4096))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * time.Millisecond)
		}
	}
	_, _ = io.WriteString(w, marker)
}

// returnMessages sends every message of a WebSocket back.
func returnMessages(w http.ResponseWriter, r *http.Request) {
	ws, err := websockettest.Accept(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer ws.CloseNow()

	for {
		kind, message, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		if err := ws.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

// isSlowMarker reports whether the answer to a marker is sent slowly in pieces.
func isSlowMarker(marker string) bool { return strings.HasSuffix(marker, "s") }

// addEntry adds an entry before anything else is done about the request.
func (l *ledgerApp) addEntry(r *http.Request) ledgerEntry {
	e := ledgerEntry{Method: r.Method, Path: r.URL.Path}
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
		e.User = l.owners[sid]
		e.Live = l.live[sid]
	}
	if e.Path == "/logout" {
		delete(l.live, sid)
	}
	l.entries = append(l.entries, e)
	return e
}

func (l *ledgerApp) login(w http.ResponseWriter, r *http.Request) {
	user := r.FormValue("user")
	if p := l.passwords[user]; p == "" || r.FormValue("pass") != p {
		http.Error(w, "wrong", http.StatusForbidden)
		return
	}

	sid := rand.Text()
	l.mu.Lock()
	l.owners[sid] = user
	l.live[sid] = true
	l.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/", HttpOnly: true})
	http.Redirect(w, r, landingPath, http.StatusFound)
}

// endSessions ends all sessions, as a restart of the application would, and returns how
// many those were.
func (l *ledgerApp) endSessions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.live)
	clear(l.live)
	return n
}

// allEntries returns every request so far, in order of arrival.
func (l *ledgerApp) allEntries() []ledgerEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]ledgerEntry(nil), l.entries...)
}

// countLogins returns how many logins there were, with whatever password.
func (l *ledgerApp) countLogins() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.Path == "/login" && e.Method == http.MethodPost {
			n++
		}
	}
	return n
}

// loggedInUsers returns the user of each live session.
func (l *ledgerApp) loggedInUsers() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var users []string
	for sid := range l.live {
		users = append(users, l.owners[sid])
	}
	return users
}
