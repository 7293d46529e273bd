package proxy

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestWalk sends the requests of a whole task: permitted ones, refused ones, and
// the end.
func TestWalk(t *testing.T) {
	app := newLegacyApp(t)
	s := startLegacyServer(t, app, t.TempDir())
	agent, task := s.newAgent(t, pagesSpec)

	status, body, header := sendAsAlice(t, agent, "GET", "/page/1", "")
	if status != http.StatusOK || !strings.Contains(body, "hello agent-01") {
		t.Fatalf("GET /page/1: status %d, body %s; want 200 for agent-01", status, body)
	}
	if strings.Contains(body, "canary-session") || !strings.Contains(body, "*****") {
		t.Errorf("I1: the answer to GET /page/1 does not mask the session: %s", body)
	}
	if header.Get("Byline-Record") == "" {
		t.Error("the answer to GET /page/1 has no Byline-Record")
	}
	status, body, _ = sendAsAlice(t, agent, "POST", "/page/22", "text=hi")
	if status != http.StatusOK || !strings.Contains(body, "text=hi") {
		t.Errorf("POST /page/22: status %d, body %s; want 200 and the text sent", status, body)
	}

	for _, r := range []struct {
		method, target string
		code           Code
	}{
		{"GET", "/page/3", OutOfScope},
		{"GET", "/account", OutOfScope},
		{"GET", "/elsewhere", ActionUnclassified},
		{"POST", "/login", LoginByAgent},
		{"GET", "/page/%2e%2e/account", AmbiguousRequest},
	} {
		if _, body, _ := sendAsAlice(t, agent, r.method, r.target, ""); !hasCode(body, r.code) {
			t.Errorf("%s %s: got %s, want the refusal %s", r.method, r.target, body, r.code)
		}
	}

	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	log, cookies := app.received()
	if want := "agent-01 GET /page/1\nagent-01 POST /page/22\nagent-01 GET /logout"; log != want {
		t.Errorf("the application's log:\n%s\nwant:\n%s", log, want)
	}
	if strings.Contains(cookies, canaryHuman) {
		t.Errorf("I2: the application received the borrowed cookie:\n%s", cookies)
	}
	if !strings.Contains(cookies, "theme=dark") {
		t.Errorf("the application did not receive the cookie theme:\n%s", cookies)
	}
	if n := app.logins.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	if strings.Contains(s.log.String(), "canary") {
		t.Error("I1: the operator's log contains a secret")
	}
}

func TestConcurrentRequestsShareOneRenewal(t *testing.T) {
	app := newLegacyApp(t)
	s := startLegacyServer(t, app, t.TempDir())
	agent, _ := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")
	app.killSessions()

	var requests sync.WaitGroup
	for range 32 {
		requests.Go(func() {
			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != http.StatusOK {
				t.Errorf("GET /page/1 after the session ended: status %d, want 200: %s", status, body)
			}
		})
	}
	requests.Wait()
	if n := app.logins.Load(); n != 2 {
		t.Errorf("%d logins, want 2: one at first and one for all 32 requests", n)
	}
}

func TestI6EndOfTaskCutsItsTunnels(t *testing.T) {
	app := newLegacyApp(t)
	s := startLegacyServer(t, app, t.TempDir())
	agent, task := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")
	if _, err := s.EndTask(task.ID(), "revoked"); err != nil {
		t.Fatal(err)
	}

	req, err := http.NewRequest("GET", "https://example.com/page/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := agent.Do(req); err == nil {
		resp.Body.Close()
		t.Fatalf("I6: a request after the end of its task got status %d, want no tunnel", resp.StatusCode)
	}
	if n := app.countSessions(); n != 1 {
		t.Errorf("I6: %d sessions are live at the application, want only Alice's", n)
	}
}

func TestI5SecondTaskIsRefusedWithoutFreeAccount(t *testing.T) {
	s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
	first, _ := s.newAgent(t, pagesSpec)
	second, _ := s.newAgent(t, pagesSpec)
	sendAsAlice(t, first, "GET", "/page/1", "")
	if _, body, _ := sendAsAlice(t, second, "GET", "/page/1", ""); !hasCode(body, LeaseUnavailable) {
		t.Errorf("I5: the second task got %s, want the refusal lease_unavailable", body)
	}
}
