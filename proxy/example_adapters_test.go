package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/vault"
)

// exampleTest runs an adapter of adapters/examples through the whole server, with
// an application that does what the adapter describes.
type exampleTest struct {
	adapter string
	secret  map[string]string // of the account; nil for passwordAccount
	app     func(*exampleApp) http.Handler

	// otherHost, if not nil, is a second host that takes part in the login. It
	// is called with the URL of the application.
	otherHost func(a *exampleApp, appURL string) http.Handler

	logsOut     bool   // the end of the task ends the session at the application
	logContains string // text that the operator's log must contain
	run         func(t *testing.T, e *exampleAgent)
}

// TestExampleAdapters runs every adapter in adapters/examples.
func TestExampleAdapters(t *testing.T) {
	tested := map[string]bool{}
	for _, x := range slices.Concat(cookieLoginTests, requestCredentialTests, bodyMatchingTests, sessionInBodyTests, formMatchingTests, websocketTests) {
		tested[x.adapter+".yaml"] = true
		t.Run(x.adapter, func(t *testing.T) { x.test(t) })
	}

	files, err := filepath.Glob("../adapters/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("list adapters/examples: %d files, error %v", len(files), err)
	}
	for _, f := range files {
		if !tested[filepath.Base(f)] {
			t.Errorf("no test runs %s", f)
		}
	}
}

func (x *exampleTest) test(t *testing.T) {
	app := &exampleApp{t: t, sessions: map[string]string{}}
	server := httptest.NewTLSServer(app.checkBorrowed(x.app(app)))
	t.Cleanup(server.Close)
	text, err := os.ReadFile("../adapters/examples/" + x.adapter + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	adapter := string(text)
	if x.otherHost != nil {
		other := httptest.NewTLSServer(app.checkBorrowed(x.otherHost(app, "https://example.com")))
		t.Cleanup(other.Close)
		app.otherURL = other.URL
		adapter = strings.ReplaceAll(adapter, "SSO_HOST", strings.TrimPrefix(other.URL, "https://"))
	}
	adapter += fmt.Sprintf("upstream: {url: %q, ca: %q}\n", server.URL, writeCertificate(t, server))

	secret := x.secret
	if secret == nil {
		secret = passwordAccount
	}
	s := startServer(t, t.TempDir(), loadRules(t, adapter), func(o *Options) {
		putAccount(t, o.Vault.(*vault.File), x.adapter, "agent-01", secret)
	})
	client, task := s.newAgent(t, identity.Spec{
		Agent: "agent/examples", Sponsor: "alice@acme.example", Purpose: "INC-7",
		Scope: []identity.ScopeEntry{{Adapter: x.adapter, Actions: []string{"*"}}},
	})
	x.run(t, &exampleAgent{t: t, app: app, client: client})
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}

	if n := app.countSessions(); x.logsOut && n > 0 {
		t.Errorf("I6: %d sessions are live at the application after the end of the task", n)
	}
	log := s.log.String()
	if strings.Contains(log, "canary-") {
		t.Errorf("I1: the operator's log contains a secret: %s", log)
	}
	if !strings.Contains(log, x.logContains) {
		t.Errorf("the operator's log does not contain %s: %s", x.logContains, log)
	}
}

// exampleApp is the part that the applications of exampleTests share.
type exampleApp struct {
	t        *testing.T
	otherURL string // of exampleTest.otherHost

	mu       sync.Mutex
	created  int               // sessions so far
	sessions map[string]string // token → user
}

// createSession creates a session and returns its token, which no agent may see.
func (a *exampleApp) createSession(user string) (token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.created++
	token = fmt.Sprintf("canary-session-%04d-%s", a.created, strings.Repeat("f", 12))
	a.sessions[token] = user
	return token
}

// setSession creates a session with a given token.
func (a *exampleApp) setSession(token, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[token] = user
}

func (a *exampleApp) endSession(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, token)
}

// endAllSessions ends every session, as an administrator could.
func (a *exampleApp) endAllSessions() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.sessions)
}

// userOf returns the user of a session, or the empty string if it is not live.
func (a *exampleApp) userOf(token string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[token]
}

// countSessions returns the number of sessions that belong to somebody. A page
// may have given a visitor one that belongs to nobody.
func (a *exampleApp) countSessions() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, user := range a.sessions {
		if user != "nobody" {
			n++
		}
	}
	return n
}

// writePage writes a page that names its path and the user.
func (a *exampleApp) writePage(w http.ResponseWriter, r *http.Request, user string) {
	fmt.Fprintf(w, "<p>%s of %s</p>", r.URL.Path, user)
}

// checkBorrowed fails the test if a request carries something that Alice lent
// (I2).
func (a *exampleApp) checkBorrowed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head, err := httputil.DumpRequest(r, false)
		if err != nil || strings.Contains(string(head), canaryHuman) {
			a.t.Errorf("I2: the application received a borrowed credential (error %v):\n%s", err, head)
		}
		next.ServeHTTP(w, r)
	})
}

// exampleAgent is an agent of the application of an exampleTest.
type exampleAgent struct {
	t      *testing.T
	app    *exampleApp
	client *http.Client
}

// Media types of requests.
const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// send sends a request with a cookie and a token that Alice lent, and reads the
// answer. header has names and values in turn; a Cookie is added to Alice's.
func (e *exampleAgent) send(method, target, body string, header ...string) (status int, text string, answerHeader http.Header) {
	e.t.Helper()
	req, err := http.NewRequest(method, "https://example.com"+target, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Cookie", "theme=dark; SID="+canaryHuman+"; sid="+canaryHuman)
	req.Header.Set("Authorization", "Bearer "+canaryHuman)
	for i := 0; i+1 < len(header); i += 2 {
		name, value := header[i], header[i+1]
		if name == "Cookie" {
			value += "; " + req.Header.Get("Cookie")
		}
		req.Header.Set(name, value)
	}

	resp, err := e.client.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	head, _ := httputil.DumpResponse(resp, false)
	if answer := string(head) + string(b); strings.Contains(answer, "canary-") {
		e.t.Errorf("I1: the answer to %s %s contains a secret:\n%s", method, target, answer)
	}
	return resp.StatusCode, string(b), resp.Header
}

// want sends a request and checks the status and a part of the body.
func (e *exampleAgent) want(status int, part, method, target, body string, header ...string) {
	e.t.Helper()
	got, text, _ := e.send(method, target, body, header...)
	if got != status || !strings.Contains(text, part) {
		e.t.Errorf("%s %s %q: got status %d, body %.300s; want %d and %q", method, target, body, got, text, status, part)
	}
}

// wantRefusal sends a request and checks that Byline refuses it with that code.
func (e *exampleAgent) wantRefusal(code Code, method, target, body string, header ...string) {
	e.t.Helper()
	if _, text, _ := e.send(method, target, body, header...); !hasCode(text, code) {
		e.t.Errorf("%s %s %q: got %.300s; want the refusal %s", method, target, body, text, code)
	}
}

// readAndRenew returns a run that reads a page twice, is refused what the adapter
// does not name, and reads again after the session has ended.
func readAndRenew(target string) func(*testing.T, *exampleAgent) {
	return func(_ *testing.T, e *exampleAgent) {
		e.want(200, "of agent-01", "GET", target, "")
		e.want(200, "of agent-01", "GET", target, "")
		e.wantRefusal(ActionUnclassified, "GET", "/elsewhere", "")
		e.wantRefusal(ActionUnclassified, "DELETE", target, "")
		e.app.endAllSessions()
		e.want(200, "of agent-01", "GET", target, "")
	}
}

// readOnly returns a run like readAndRenew for credentials that do not end.
func readOnly(target string) func(*testing.T, *exampleAgent) {
	return func(_ *testing.T, e *exampleAgent) {
		e.want(200, "of agent-01", "GET", target, "")
		e.wantRefusal(ActionUnclassified, "GET", "/elsewhere", "")
		e.wantRefusal(ActionUnclassified, "DELETE", target, "")
	}
}
