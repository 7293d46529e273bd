package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/vault"
)

// endingApp is an application with sessions whose pages a test decides: a page
// may say of any session that it is over.
type endingApp struct {
	*httptest.Server
	page     http.HandlerFunc // answers everything but /login and /logout; nil says who is logged in
	atLogin  func()           // called before a login is answered; may be nil
	atLogout func()           // called before a logout takes effect; may be nil
	immortal bool             // sessions live on after a logout, as those of stateless cookies
	landing  string           // where a login redirects to; "" is /page/1
	public   string           // a page that everybody gets; "" is none

	mu      sync.Mutex
	live    map[string]string // cookie → user
	logins  int
	logouts map[string]int // cookie → how often it was logged out
}

func newEndingApp(t *testing.T) *endingApp {
	a := &endingApp{live: map[string]string{}, logouts: map[string]int{}}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *endingApp) serve(w http.ResponseWriter, r *http.Request) {
	sid := cookieValue(r, "sid")
	switch r.URL.Path {
	case "/login":
		if a.atLogin != nil {
			a.atLogin()
		}
		a.mu.Lock()
		a.logins++
		sid = fmt.Sprintf("canary-session-%d-0123456789abcdef", a.logins)
		a.live[sid] = r.FormValue("user")
		a.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/"})
		http.Redirect(w, r, cmp.Or(a.landing, "/page/1"), http.StatusFound)

	case "/logout":
		if a.atLogout != nil {
			a.atLogout()
		}
		a.mu.Lock()
		a.logouts[sid]++
		if !a.immortal {
			delete(a.live, sid)
		}
		a.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "sid", Path: "/", MaxAge: -1})

	default:
		switch user := a.userOf(r); {
		case r.URL.Path == a.public:
			fmt.Fprint(w, "welcome")
		case user == "":
			http.Redirect(w, r, "/login", http.StatusFound)
		case a.page != nil:
			a.page(w, r)
		default:
			fmt.Fprintf(w, "<p>hello <b id=me>%s</b></p>", user)
		}
	}
}

func (a *endingApp) userOf(r *http.Request) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.live[cookieValue(r, "sid")]
}

// counts returns the number of logins, of live sessions, and of logouts.
func (a *endingApp) counts() (logins, live, logouts int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.logouts {
		logouts += n
	}
	return a.logins, len(a.live), logouts
}

// start starts a server for the application. The adapter is that of legacyApp,
// edited by the pairs of old and new texts.
func (a *endingApp) start(t *testing.T, edits ...string) *testServer {
	t.Helper()
	adapter := fmt.Sprintf(legacyAdapter, a.URL, writeCertificate(t, a.Server))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(adapter, edits[i]) {
			t.Fatalf("the adapter has no %q", edits[i])
		}
	}
	return startServer(t, t.TempDir(), loadRules(t, strings.NewReplacer(edits...).Replace(adapter)), nil)
}

// waitFor waits until ok holds.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited ten seconds for %s", what)
		}
	}
}

// countCodes returns how many records of a kind have each code.
func countCodes(records []audit.Record, kind string) map[string]int {
	n := map[string]int{}
	for _, r := range records {
		if r.Kind == kind {
			n[r.Code]++
		}
	}
	return n
}

func redirectToLogin(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/login", http.StatusFound)
}

// An application at which logins succeed and every page then says that the session
// is over, as it is when a password has expired.
func TestI5SessionsThatAreAlwaysOverStopAfterTwoLogins(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			a := newEndingApp(t)
			a.page = redirectToLogin
			s := a.start(t)
			agent, task := s.newAgent(t, pagesSpec)

			var last string
			for range 50 {
				_, last, _ = sendAsAlice(t, agent, method, "/page/1", "")
			}
			if logins, _, _ := a.counts(); logins > 2 {
				t.Errorf("50 requests made %d logins, want at most 2", logins)
			}
			if !hasCode(last, LoginFailed) || !strings.Contains(last, "needs a person") {
				t.Errorf("the last answer is %s, want login_failed that says that the account needs a person", last)
			}

			if _, err := s.EndTask(task.ID(), "done"); err != nil {
				t.Fatal(err)
			}
			if logins, live, logouts := a.counts(); live != 0 || logouts != logins {
				t.Errorf("I6: of %d sessions %d are live after the task, and %d were logged out; want each once", logins, live, logouts)
			}
			if n := countCodes(s.readRecords(t, ""), "alert")["needs_person"]; n != 1 {
				t.Errorf("%d alerts needs_person, want 1", n)
			}
		})
	}
}

func TestAnAccountThatNeedsAPersonIsReleasedByTheOperator(t *testing.T) {
	a := newEndingApp(t)
	a.page = redirectToLogin
	s := a.start(t)
	agent, task := s.newAgent(t, pagesSpec)
	for range 3 {
		sendAsAlice(t, agent, "GET", "/page/1", "")
	}
	all, err := s.controlAccounts(t.Context())
	if err != nil || len(all) != 1 || all[0].State != admin.AccountNeedsPerson || !strings.Contains(all[0].Why, "/page/1") {
		t.Fatalf("the accounts are %+v, error %v; want agent-01 that needs a person, and why", all, err)
	}
	if shown, err := s.controlTask(t.Context(), task.ID()); err != nil || len(shown.Accounts) != 1 || shown.Accounts[0].State != admin.AccountNeedsPerson {
		t.Errorf("the task shows the accounts %+v, error %v; want the same", shown.Accounts, err)
	}

	a.page = nil
	if _, err := s.controlRetryAccount(t.Context(), "legacy/agent-02"); err == nil {
		t.Error("an account that the vault does not have could be retried")
	}
	if after, err := s.controlRetryAccount(t.Context(), "legacy/agent-01"); err != nil || after.State != admin.AccountLeased {
		t.Errorf("after retry the account is %+v, error %v; want leased", after, err)
	}
	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Errorf("after the operator's word: status %d, body %s; want 200", status, body)
	}
}

// A new secret and a changed adapter are what a person would do, so they end the
// state as well.
func TestANewSecretEndsTheNeedOfAPerson(t *testing.T) {
	a := newEndingApp(t)
	a.page = redirectToLogin
	s := a.start(t)
	agent, _ := s.newAgent(t, pagesSpec)
	for range 5 {
		sendAsAlice(t, agent, "GET", "/page/1", "")
	}
	if logins, _, _ := a.counts(); logins != 2 {
		t.Fatalf("%d logins, want 2", logins)
	}

	a.page = nil
	putAccount(t, s.vault.(*vault.File), "legacy", "agent-01", map[string]string{"username": "agent-01", "password": "canary-new"})
	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
		t.Errorf("with a new secret: status %d, body %s; want 200", status, body)
	}
}

// An agent can often write what a page says, so it can make one look as if the
// session were over.
func TestI5AFalseEndMakesOneLoginThenBackoff(t *testing.T) {
	a := newEndingApp(t)
	a.page = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page/2" {
			redirectToLogin(w, r)
			return
		}
		fmt.Fprint(w, "fine")
	}
	s := a.start(t)
	agent, task := s.newAgent(t, pagesSpec)

	began := time.Now()
	for time.Since(began) < 5*time.Second {
		sendAsAlice(t, agent, "GET", "/page/1", "")
		sendAsAlice(t, agent, "GET", "/page/2", "")
	}
	logins, live, logouts := a.counts()
	if logins > 6 { // at 0 s, 0 s, 0.5 s, 1.5 s, 3.5 s; the pauses are random
		t.Errorf("in 5 s a false end made %d logins, want at most 6", logins)
	}
	if live > 1 || logouts < logins-1 {
		t.Errorf("%d sessions are live after %d logins and %d logouts, want 1: what is given up is logged out", live, logins, logouts)
	}

	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	if logins, live, logouts := a.counts(); live != 0 || logouts != logins {
		t.Errorf("I6: of %d sessions %d are live after the task, and %d were logged out; want each once", logins, live, logouts)
	}
}

func TestI6ALoginInFlightIsLoggedOutBeforeTheAccountIsFree(t *testing.T) {
	a := newEndingApp(t)
	arrived, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	a.atLogin = func() {
		once.Do(func() { close(arrived) })
		<-answer
	}
	s := a.start(t)
	agent, task := s.newAgent(t, pagesSpec)
	go getBody(agent, "/page/1")
	receive(t, "the login", arrived)

	ended := make(chan struct{})
	go func() {
		_, _ = s.EndTask(task.ID(), "done")
		close(ended)
	}()
	waitFor(t, "the end of the task", func() bool { return s.task(task.ID()).Active() != nil })
	time.Sleep(100 * time.Millisecond)
	if n := len(s.leases.Leases()); n != 1 {
		t.Errorf("%d leases while the login is in flight, want 1", n)
	}
	close(answer)
	receive(t, "EndTask", ended)
	waitFor(t, "the account", func() bool { return len(s.leases.Leases()) == 0 })

	if logins, live, logouts := a.counts(); logins != 1 || live != 0 || logouts != 1 {
		t.Errorf("%d logins, %d live sessions, %d logouts; want 1, 0, 1", logins, live, logouts)
	}
}

func TestI6AHangingLogoutHoldsItsAccountAndNotTheEnd(t *testing.T) {
	a := newEndingApp(t)
	goOn := make(chan struct{})
	a.atLogout = func() { <-goOn }
	s := a.start(t)
	agent, task := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")

	began := time.Now()
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > endWait+time.Second {
		t.Errorf("the end of the task took %s, want at most %s", took, endWait)
	}

	other, _ := s.newAgent(t, pagesSpec)
	if _, body, _ := sendAsAlice(t, other, "GET", "/page/1", ""); !hasCode(body, LeaseUnavailable) {
		t.Errorf("while the logout hangs another task gets %s, want lease_unavailable", body)
	}
	close(goOn)
	waitFor(t, "the account", func() bool { return len(s.leases.Leases()) == 0 })
	if status, body, _ := sendAsAlice(t, other, "GET", "/page/1", ""); status != 200 {
		t.Errorf("after the logout another task gets status %d, body %s; want 200", status, body)
	}
}

func TestI6AFailedLogoutIsAnAlert(t *testing.T) {
	a := newEndingApp(t)
	a.page = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page/goodbye" {
			http.Error(w, "no", http.StatusInternalServerError)
		}
	}
	s := a.start(t, "get: /logout", "get: /page/goodbye")
	agent, task := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	if n := countCodes(s.readRecords(t, ""), "alert")["session_not_ended"]; n != 1 {
		t.Errorf("%d alerts session_not_ended, want 1", n)
	}
}

// A connection that the application has closed while nobody used it must not
// count as a login that failed.
func TestALoginUsesAFreshConnection(t *testing.T) {
	app := newLegacyApp(t)
	s := startLegacyServer(t, app, t.TempDir())
	agent, _ := s.newAgent(t, pagesSpec)
	for range 2 {
		if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
			t.Fatalf("status %d, body %s; want 200", status, body)
		}
		app.killSessions()
		app.CloseClientConnections()
	}
	if n := len(s.leases.Refused()); n != 0 {
		t.Errorf("%d accounts are in back-off, want none", n)
	}
}
