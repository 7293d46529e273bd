package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/byline-proxy/byline/proxy/admin"
)

// endAt returns pages that are fine, but for those of a path, which look as if the
// session were over. An agent may have written them.
func endAt(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			redirectToLogin(w, r)
			return
		}
		fmt.Fprint(w, "fine")
	}
}

// Without login.identity the page to which the login leads tells a false end from a
// true one, if somebody who is not logged in does not get it.
func TestI5AFalseEndIsSeenThroughByTheLandingPage(t *testing.T) {
	for name, edits := range map[string][]string{
		"landing":      nil,
		"logout.check": {"{steps: [{get: /logout}]}", "{steps: [{get: /logout}], check: /page/me}"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newEndingApp(t)
			a.page = endAt("/page/2")
			if name == "logout.check" {
				a.landing, a.public = "/hello", "/hello"
			}
			s := a.start(t, edits...)
			agent, task := s.newAgent(t, pagesSpec)
			for range 10 {
				if status, body, _ := sendAsAlice(t, agent, "GET", "/page/2", ""); status != http.StatusFound {
					t.Fatalf("status %d, body %s; want the application's redirect", status, body)
				}
				if status, _, _ := sendAsAlice(t, agent, "POST", "/page/2", ""); status != http.StatusFound {
					t.Fatalf("POST: status %d, want the application's redirect", status)
				}
			}
			if logins, _, logouts := a.counts(); logins != 1 || logouts != 0 {
				t.Errorf("%d logins, %d logouts; want 1 and 0", logins, logouts)
			}

			a.mu.Lock() // a true end
			clear(a.live)
			a.mu.Unlock()
			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != 200 {
				t.Errorf("after a true end: status %d, body %s; want 200", status, body)
			}
			if _, err := s.EndTask(task.ID(), "done"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// If nothing tells a false end from a true one, it harms the task that got the answer
// and no other.
func TestI5OneAgentDoesNotTakeAnAccountFromOthers(t *testing.T) {
	a := newEndingApp(t)
	a.page = endAt("/page/2")
	a.landing, a.public = "/hello", "/hello"
	s := a.start(t)

	for range 2 {
		agent, task := s.newAgent(t, pagesSpec)
		var last string
		for range 20 {
			_, last, _ = sendAsAlice(t, agent, "GET", "/page/2", "")
		}
		if !hasCode(last, LoginFailed) || !strings.Contains(last, "as far as this task's answers show") {
			t.Errorf("the agent's last answer is %s, want that its task needs a person", last)
		}
		if all, _ := s.controlAccounts(t.Context()); all[0].State != admin.AccountNeedsPerson || all[0].Task != task.ID() {
			t.Errorf("while the task holds it the account is %+v, want needs_person and the task", all[0])
		}
		endTask(t, s, task.ID())
		if all, _ := s.controlAccounts(t.Context()); all[0].State != admin.AccountFree {
			t.Errorf("after the task the account is %+v, want free", all[0])
		}

		other, task := s.newAgent(t, pagesSpec)
		if status, body, _ := sendAsAlice(t, other, "GET", "/page/1", ""); status != 200 {
			t.Errorf("another task got status %d, body %s; want 200", status, body)
		}
		endTask(t, s, task.ID())
	}
	if logins, _, _ := a.counts(); logins != 6 {
		t.Errorf("%d logins, want 2 for each task with false ends, and 1 for each other", logins)
	}
}

func endTask(t *testing.T, s *testServer, id string) {
	t.Helper()
	if _, err := s.EndTask(id, "done"); err != nil {
		t.Fatal(err)
	}
}

// An outage of the page that is asked ends no session and makes no login. If it lasts,
// the session counts as over.
func TestI5AnUnansweredProbeKeepsTheSession(t *testing.T) {
	a := newEndingApp(t)
	var out atomic.Bool
	page := endAt("/page/2")
	a.page = a.showMe(func(w http.ResponseWriter, r *http.Request) { page(w, r) })
	shown := a.page
	a.page = func(w http.ResponseWriter, r *http.Request) {
		if out.Load() && r.URL.Path != "/page/2" {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		shown(w, r)
	}
	s := a.start(t, identityEdits...)
	agent, _ := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")

	out.Store(true)
	for range 20 {
		_, body, header := sendAsAlice(t, agent, "GET", "/page/2", "")
		if !hasCode(body, LoginFailed) || header.Get("Retry-After") == "" {
			t.Fatalf("got %s with Retry-After %q, want login_failed and when to try again", body, header.Get("Retry-After"))
		}
	}
	out.Store(false)
	if logins, live, logouts := a.counts(); logins != 1 || live != 1 || logouts != 0 {
		t.Errorf("%d logins, %d live sessions, %d logouts during the outage; want 1, 1, 0", logins, live, logouts)
	}
	waitFor(t, "the application's own answer", func() bool {
		status, _, _ := sendAsAlice(t, agent, "GET", "/page/2", "")
		return status == http.StatusFound
	})
	if logins, _, _ := a.counts(); logins != 1 {
		t.Errorf("%d logins after the outage, want 1", logins)
	}
}

// Applications answer with 5xx when they cannot answer, and such a login says nothing
// about the password.
func TestOutagesAndRefusalsOfLogins(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  func(w http.ResponseWriter)
		longest int // seconds
		least   int
	}{
		{"500", func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, 10, 1},
		{"503 with Retry-After", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 60, 55},
		{"429", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, 10, 1},
		{"a connection that breaks", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 10, 1},
		{"403", func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, 300, 290},
		{"200 with the login page again", func(w http.ResponseWriter) { fmt.Fprint(w, "wrong password") }, 300, 290},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newEndingApp(t)
			var logins atomic.Int32
			next := a.Config.Handler
			a.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/login" {
					logins.Add(1)
					c.answer(w)
					return
				}
				next.ServeHTTP(w, r)
			})
			s := a.start(t)
			agent, _ := s.newAgent(t, pagesSpec)
			sendAsAlice(t, agent, "GET", "/page/1", "")
			_, body, header := sendAsAlice(t, agent, "GET", "/page/1", "")

			retry := 0
			_, _ = fmt.Sscan(header.Get("Retry-After"), &retry)
			if !hasCode(body, LoginFailed) || retry < c.least || retry > c.longest {
				t.Errorf("got %s with Retry-After %d, want login_failed and %d to %d", body, retry, c.least, c.longest)
			}
			if n := logins.Load(); n != 1 {
				t.Errorf("%d logins, want 1", n)
			}
		})
	}
}

func TestMetricsCountAccountsThatCannotBeUsed(t *testing.T) {
	a := newEndingApp(t)
	a.page = redirectToLogin
	s := a.start(t)
	agent, _ := s.newAgent(t, pagesSpec)
	for range 3 {
		sendAsAlice(t, agent, "GET", "/page/1", "")
	}
	if err := s.state.Quarantine("legacy", "agent-02", "test"); err != nil {
		t.Fatal(err)
	}

	rec := httptest.NewRecorder()
	s.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`byline_accounts{state="needs_person"} 1`, `byline_accounts{state="quarantined"} 1`, `byline_accounts{state="back_off"} 0`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
