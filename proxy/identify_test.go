package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// identityEdits give legacyAdapter an identity probe.
var identityEdits = []string{"  ended:", "  identity: {get: /page/me, css: \"#me\"}\n  ended:"}

// showMe answers /page/me with the user of the session, and everything else by
// next.
func (a *endingApp) showMe(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page/me" {
			fmt.Fprintf(w, "<b id=me>%s</b>", a.userOf(r))
			return
		}
		next(w, r)
	}
}

// becomes gives the agent's session a new cookie that belongs to user.
func (a *endingApp) becomes(w http.ResponseWriter, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sid := fmt.Sprintf("canary-session-%s-%d-fedcba9876543210", user, len(a.live)+len(a.logouts))
	a.live[sid] = user
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: sid, Path: "/"})
}

// An application may log somebody in at any page. What the agent lends it there
// must not become the session of the lease.
func TestI2ASessionThatBecomesAnothersIsEnded(t *testing.T) {
	a := newEndingApp(t)
	a.page = a.showMe(func(w http.ResponseWriter, r *http.Request) {
		if user := r.URL.Query().Get("u"); user != "" {
			a.becomes(w, user)
		}
		fmt.Fprintf(w, "page of %s", a.userOf(r))
	})
	s := a.start(t, identityEdits...)
	agent, task := s.newAgent(t, pagesSpec)

	if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1?u=agent-01", ""); status != 200 {
		t.Errorf("a rotation that stays the account's: status %d, body %s; want 200", status, body)
	}
	if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1?u=alice", ""); !hasCode(body, LoginByAgent) || strings.Contains(body, "page of") {
		t.Errorf("a request that logs alice in got %s, want login_by_agent and nothing of the page", body)
	}
	if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); !strings.Contains(body, "page of agent-01") {
		t.Errorf("the next request got %s, want a page of agent-01", body)
	}

	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	for sid, user := range a.live {
		if user == "alice" {
			t.Errorf("I6: alice's session %s is live after the task", sid)
		}
	}
	a.mu.Unlock()
	if n := countCodes(s.readRecords(t, ""), "alert")["session_of_other"]; n != 1 {
		t.Errorf("%d alerts session_of_other, want 1", n)
	}
}

// While the application is asked whose the session is, nothing leaves.
func TestI2NothingLeavesWhileASessionIsInDoubt(t *testing.T) {
	a := newEndingApp(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	inDoubt := false
	var mu sync.Mutex
	var early []string
	a.page = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		doubt := inDoubt
		if doubt && r.URL.Path != "/page/me" {
			early = append(early, r.URL.Path)
		}
		mu.Unlock()
		switch {
		case r.URL.Path == "/page/me":
			if doubt {
				once.Do(func() { close(asked) })
				<-answer
			}
			fmt.Fprintf(w, "<b id=me>%s</b>", a.userOf(r))
		case r.URL.Query().Get("u") != "":
			mu.Lock()
			inDoubt = true
			mu.Unlock()
			a.becomes(w, r.URL.Query().Get("u"))
		default:
			fmt.Fprintf(w, "page of %s", a.userOf(r))
		}
	}
	s := a.start(t, identityEdits...)
	agent, _ := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")

	go getBody(agent, "/page/1?u=alice")
	receive(t, "the probe", asked)
	got := make(chan string)
	go func() { got <- getBody(agent, "/page/2") }()
	time.Sleep(200 * time.Millisecond)
	mu.Lock()
	if len(early) > 0 {
		t.Errorf("while the session was in doubt the application got %v, want nothing", early)
	}
	inDoubt = false
	mu.Unlock()
	close(answer)
	if body := receive(t, "the waiting request", got); !strings.Contains(body, "page of agent-01") {
		t.Errorf("the waiting request got %s, want a page of agent-01", body)
	}
}

// getBody returns the body of a page, or the error as text.
func getBody(agent *http.Client, path string) string {
	resp, err := agent.Get("https://example.com" + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// With an identity probe a page that looks like the end of a session ends none.
func TestI5AFalseEndIsSeenThroughByTheProbe(t *testing.T) {
	a := newEndingApp(t)
	a.page = a.showMe(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page/2" {
			redirectToLogin(w, r)
			return
		}
		fmt.Fprint(w, "fine")
	})
	s := a.start(t, identityEdits...)
	agent, _ := s.newAgent(t, pagesSpec)
	for range 20 {
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
}

func TestALoginIntoTheSessionOfAnotherHasFailed(t *testing.T) {
	a := newEndingApp(t)
	a.page = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<b id=me>alice</b>") }
	s := a.start(t, identityEdits...)
	agent, _ := s.newAgent(t, pagesSpec)
	if _, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); !hasCode(body, LoginFailed) {
		t.Errorf("got %s, want login_failed", body)
	}
	waitFor(t, "the logout", func() bool {
		logins, live, logouts := a.counts()
		return logins == 1 && live == 0 && logouts == 1
	})
	if !strings.Contains(s.log.String(), "login.identity: the page names somebody else") {
		t.Errorf("the log does not say why: %s", s.log)
	}
}

// A page that does not say who is logged in fails no login, as it may be closed to
// the account. Then a session that is always over is found as without a probe.
func TestI5AlwaysOverStopsAfterTwoLoginsWithAProbe(t *testing.T) {
	for name, page := range map[string]http.HandlerFunc{
		"nobody":   redirectToLogin,
		"an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newEndingApp(t)
			a.page = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/page/me" {
					page(w, r)
					return
				}
				redirectToLogin(w, r)
			}
			s := a.start(t, identityEdits...)
			agent, _ := s.newAgent(t, pagesSpec)
			for range 20 {
				sendAsAlice(t, agent, "GET", "/page/1", "")
			}
			if logins, _, _ := a.counts(); logins > 2 {
				t.Errorf("%d logins, want at most 2", logins)
			}
			if !strings.Contains(s.log.String(), "login.identity") {
				t.Errorf("the log does not name login.identity: %s", s.log)
			}
		})
	}
}

func TestI6ASessionThatOutlivesItsLogoutIsAnAlert(t *testing.T) {
	for name, edits := range map[string][]string{
		"check":    {"{steps: [{get: /logout}]}", "{steps: [{get: /logout}], check: /page/1}"},
		"identity": identityEdits,
	} {
		for _, immortal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, immortal %v", name, immortal), func(t *testing.T) {
				a := newEndingApp(t)
				a.immortal = immortal
				a.page = a.showMe(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "fine") })
				s := a.start(t, edits...)
				agent, task := s.newAgent(t, pagesSpec)
				sendAsAlice(t, agent, "GET", "/page/1", "")
				if _, err := s.EndTask(task.ID(), "done"); err != nil {
					t.Fatal(err)
				}

				want := 0
				if immortal {
					want = 1
				}
				records := s.readRecords(t, "")
				if n := countCodes(records, "alert")["session_not_ended"]; n != want {
					t.Errorf("%d alerts session_not_ended, want %d", n, want)
				}
				last := records[len(records)-1]
				for _, r := range records {
					if r.Kind == "outcome" && r.Detail != "" {
						last = r
					}
				}
				if immortal != strings.Contains(last.Detail, "still works") {
					t.Errorf("the logout's outcome says %q", last.Detail)
				}
			})
		}
	}
}
