package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/admin"
)

// gateApp is an application whose test decides what a login gets. It runs in the
// test process, so it remembers what the servers before a restart have sent.
type gateApp struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	answer func(w http.ResponseWriter, r *http.Request)
	posts  int      // logins that were posted
	codes  []string // the one-time codes in them
}

const gateAdapter = `name: gate
interim: {reason: "test", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [gate.acme.test]
upstream: {url: "%s"}
cookies: {hold: [sid]}
login:
  kind: form
  steps: [{post: /login, form: {user: "${username}", pass: "${password}", code: "${totp}"}}]
  success: {status: [302], cookie: sid}
  ended: [{redirect: "*/login*"}, {redirect: "*/change-password*"}]
  logout: {steps: [{get: /logout}]}
actions:
  - {name: read, match: {method: [GET, HEAD], path: "/**"}, resource: page}
`

func newGateApp(t *testing.T, answer func(http.ResponseWriter, *http.Request)) *gateApp {
	a := &gateApp{answer: answer}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		if r.URL.Path == "/login" && r.Method == "POST" {
			a.posts++
			a.codes = append(a.codes, r.FormValue("code"))
		}
		answer := a.answer
		a.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// logIn answers a login as an application does that accepts it.
func logIn(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: testenv.NewSecret(), Path: "/", HttpOnly: true})
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusFound)
}

func (a *gateApp) setAnswer(answer func(http.ResponseWriter, *http.Request)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *gateApp) countPosts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.posts
}

// startGateEnv starts an installation for the application with one account.
// Without codes a login needs no one-time code, and so no new one every 30 seconds.
func startGateEnv(t *testing.T, a *gateApp, config string, codes bool) (env *testenv.Env, putAgain func()) {
	t.Helper()
	env = testenv.New(t, config)
	adapter := fmt.Sprintf(gateAdapter, a.URL)
	if !codes {
		adapter = strings.Replace(adapter, `, code: "${totp}"`, "", 1)
	}
	env.WriteFile("adapters.d/gate.yaml", adapter)
	secret := map[string]string{"username": "agent-01", "password": testenv.NewSecret(), "totp_seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
	putAgain = func() { env.PutAccount("gate", "agent-01", secret) }
	putAgain()
	env.Start()
	return env, putAgain
}

func newGateAgent(env *testenv.Env) *testenv.Agent {
	return newGateAgentOf(env, env.CreateTask(testenv.TaskSpec{Allow: []string{"gate:*"}}))
}

func newGateAgentOf(env *testenv.Env, task *testenv.Task) *testenv.Agent {
	return env.NewAgent(task, &apps.App{PublicURL: "https://gate.acme.test"}, nil)
}

// accountState returns the state of the account as byline account list prints it.
func accountState(env *testenv.Env) string {
	var all []admin.Account
	env.BylineJSON(&all, "account", "list")
	if len(all) != 1 {
		return fmt.Sprint(all)
	}
	return all[0].State
}

// TestRefusedPasswordsSurviveRestarts starts the server six times on a password that
// the application refuses. The application, which locks accounts, sees it once.
func TestRefusedPasswordsSurviveRestarts(t *testing.T) {
	a := newGateApp(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "wrong", http.StatusForbidden) })
	env, putAgain := startGateEnv(t, a, "", false)
	agent := newGateAgent(env)
	for n := range 6 {
		agent.Get("/").WantRefusal(t, "login_failed")
		if n%2 == 0 {
			env.Kill()
		} else {
			env.Stop()
		}
		env.Start()
		if got := accountState(env); got != admin.AccountBackOff {
			t.Errorf("after start %d the account is %q, want back_off", n+2, got)
		}
	}
	if n := a.countPosts(); n != 1 {
		t.Errorf("six starts sent the refused password %d times, want once", n)
	}

	putAgain()
	agent.Get("/").WantRefusal(t, "login_failed")
	if n := a.countPosts(); n != 2 {
		t.Errorf("after vault put the password was sent %d times in all, want 2", n)
	}
}

// TestLoginsThatAKillInterrupted kills the server while the application has the
// password and has not answered.
func TestLoginsThatAKillInterrupted(t *testing.T) {
	arrived := make(chan struct{}, 16)
	a := newGateApp(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	env, _ := startGateEnv(t, a, "lease: {backoff_min: 10ms, outage_backoff_max: 20ms}", true)
	agent := newGateAgent(env)
	for n := range 6 {
		go agent.Get("/")
		select {
		case <-arrived:
		case <-time.After(time.Second): // in back-off
		}
		env.Kill()
		env.Start()
		if got := accountState(env); n > 0 && got != admin.AccountBackOff {
			t.Errorf("after kill %d the account is %q, want back_off", n+1, got)
		}
	}
	if n := a.countPosts(); n > 2 {
		t.Errorf("six kills in the middle of a login sent the password %d times, want at most 2", n)
	}

	seen := map[string]bool{}
	for _, code := range a.codes {
		if seen[code] {
			t.Errorf("a one-time code was sent twice: the codes are %v", a.codes)
		}
		seen[code] = true
	}
}

// TestOneTimeCodesAreSentOnce kills the server after each login. A verifier refuses a
// code that it has seen.
func TestOneTimeCodesAreSentOnce(t *testing.T) {
	a := newGateApp(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			logIn(w, r)
		}
	})
	env, _ := startGateEnv(t, a, "", true)
	for range 3 {
		newGateAgent(env).Get("/").Want(t, 200, "")
		env.Kill()
		env.Start()
		endTasks(env)
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	seen := map[string]bool{}
	for _, code := range a.codes {
		if seen[code] || code == "" {
			t.Errorf("a one-time code was sent twice: the codes are %v", a.codes)
		}
		seen[code] = true
	}
	if len(a.codes) != 3 {
		t.Errorf("%d logins, want 3", len(a.codes))
	}
}

// endTasks ends every active task, so that the account is free.
func endTasks(env *testenv.Env) {
	var all []admin.Task
	env.BylineJSON(&all, "task", "list")
	for _, task := range all {
		if task.State == admin.StateActive {
			env.EndTask(&testenv.Task{ID: task.ID})
		}
	}
}

// TestTheNeedOfAPersonSurvivesRestarts: a password that has expired is not tried again
// because the server was started again.
func TestTheNeedOfAPersonSurvivesRestarts(t *testing.T) {
	expired := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/login":
			logIn(w, r)
		case "/logout":
		default:
			http.Redirect(w, r, "/change-password", http.StatusFound)
		}
	}
	a := newGateApp(t, expired)
	env, putAgain := startGateEnv(t, a, "", false)
	agent := newGateAgent(env)
	for range 50 {
		agent.Get("/").WantRefusal(t, "login_failed")
	}
	for n := range 3 {
		if got := accountState(env); got != admin.AccountNeedsPerson {
			t.Errorf("before kill %d the account is %q, want needs_person", n+1, got)
		}
		env.Kill()
		env.Start()
		endTasks(env)
		if r := newGateAgent(env).Get("/").WantRefusal(t, "login_failed"); !strings.Contains(r.Body, "needs a person") {
			t.Errorf("after kill %d: %s, want that the account needs a person", n+1, r.Body)
		}
		endTasks(env)
	}
	if n := a.countPosts(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}

	a.setAnswer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			logIn(w, r)
		}
	})
	putAgain() // the same secret: a person has looked at the account
	newGateAgent(env).Get("/").Want(t, 200, "")
	if got := accountState(env); got != admin.AccountLeased {
		t.Errorf("after vault put the account is %q, want leased", got)
	}

	// And byline account retry, after another expiry.
	endTasks(env)
	a.setAnswer(expired)
	for range 3 {
		agent = newGateAgent(env)
		agent.Get("/")
		endTasks(env)
	}
	env.Kill()
	env.Start()
	if got := accountState(env); got != admin.AccountNeedsPerson {
		t.Fatalf("the account is %q, want needs_person", got)
	}
	if r := env.Byline("account", "retry", "gate/agent-01"); r.Code != 0 || !strings.Contains(r.Out, "free") {
		t.Errorf("byline account retry: %s, want that the account is free", r)
	}
	released := 0
	for _, r := range env.Records() {
		if r.Kind == "release" && r.Account == "agent-01" {
			released++
		}
	}
	if released != 1 {
		t.Errorf("%d records of the release, want 1", released)
	}
}
