package proxy

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// legacyApp is an application with a login form, a session cookie, and a log
// that names the user of the session. Alice has a session from the start.
type legacyApp struct {
	*httptest.Server
	mu       sync.Mutex
	sessions map[string]string // cookie → user
	log      []string          // "user METHOD path"
	cookies  []string          // every Cookie header that it received
	logins   atomic.Int64
}

const legacyAdapter = `
name: legacy
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [example.com]
upstream: {url: "%s", ca: "%s"}
cookies: {hold: [sid], pass: [theme]}
login:
  kind: form
  steps:
    - post: /login
      form: {user: "${username}", pass: "${password}"}
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login"}]
  logout: {steps: [{get: /logout}]}
actions:
  - {name: page.read, match: {method: [GET, HEAD], path: "/page/{id}"}, resource: "page/{id}"}
  - {name: page.edit, match: {method: POST, path: "/page/{id}"}, resource: "page/{id}"}
  - {name: account.manage, privileged: true, match: {path: /account}}
`

func newLegacyApp(t *testing.T) *legacyApp {
	a := &legacyApp{sessions: map[string]string{canaryHuman: "alice"}}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *legacyApp) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.cookies = append(a.cookies, r.Header.Get("Cookie"))
	if r.URL.Path == "/login" && r.Method == http.MethodPost {
		a.login(w, r)
		return
	}
	session := cookieValue(r, "sid")
	user := a.sessions[session]
	if user == "" {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}

	a.log = append(a.log, user+" "+r.Method+" "+r.URL.Path)
	if r.URL.Path == "/logout" {
		delete(a.sessions, session)
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "<p>hello %s, your session is %s, you sent %s</p>", user, session, body)
}

func (a *legacyApp) login(w http.ResponseWriter, r *http.Request) {
	n := a.logins.Add(1)
	if r.FormValue("pass") != canaryPassword {
		fmt.Fprint(w, "wrong")
		return
	}
	session := fmt.Sprintf("canary-session-%d-0123456789abcdef", n)
	a.sessions[session] = r.FormValue("user")
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: session, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/home", http.StatusFound)
}

// killSessions ends every session but Alice's.
func (a *legacyApp) killSessions() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for session := range a.sessions {
		if session != canaryHuman {
			delete(a.sessions, session)
		}
	}
}

// countSessions returns the number of live sessions, Alice's included.
func (a *legacyApp) countSessions() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sessions)
}

// received returns the log and the Cookie headers, one in a line.
func (a *legacyApp) received() (log, cookies string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.log, "\n"), strings.Join(a.cookies, "\n")
}

// loadLegacyRules returns rules with the adapter of the application.
func loadLegacyRules(t *testing.T, a *legacyApp) Rules {
	t.Helper()
	return loadRules(t, fmt.Sprintf(legacyAdapter, a.URL, writeCertificate(t, a.Server)))
}

// startLegacyServer starts a server for the application in dir.
func startLegacyServer(t *testing.T, a *legacyApp, dir string) *testServer {
	t.Helper()
	return startServer(t, dir, loadLegacyRules(t, a), nil)
}

// writeCertificate writes the certificate of a TLS server to a file and returns
// the path.
func writeCertificate(t testing.TB, s *httptest.Server) string {
	t.Helper()
	path := t.TempDir() + "/ca.pem"
	writeFile(t, path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return path
}

// cookieValue returns the value of the first cookie with that name, or the empty
// string.
func cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}
