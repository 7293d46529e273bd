package e2e

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// countPasswords returns how many requests to the application carried the
// password of l.
func countPasswords(app *apps.App, l apps.Login) int {
	n := 0
	for _, r := range app.Requests() {
		if r.Contains(url.QueryEscape(l.Password)) {
			n++
		}
	}
	return n
}

// staleForm is a form filled in during an earlier session. The application
// rejects it when that session has ended.
type staleForm struct {
	path string
	form url.Values
}

var staleForms = map[string]staleForm{
	"mediawiki": {"/index.php?title=Sandbox/Lost&action=submit", url.Values{
		"wpTextbox1": {"lost"}, "wpSave": {"Save"}, "wpUltimateParam": {"1"}, "model": {"wikitext"}, "format": {"text/x-wiki"},
		"wpEditToken": {"0123456789abcdef0123456789abcdef01234567+\\"}, "wpUnicodeCheck": {"ℳ𝒲♥𝓊𝓃𝒾𝒸ℴ𝒹ℯ"},
	}},
	"requesttracker": {"/Ticket/Create.html", url.Values{
		"id": {"new"}, "Queue": {"1"}, "Subject": {"Lost"}, "Content": {"lost"}, "SubmitTicket": {"Create"},
	}},
	"wordpress": {"/wp-admin/post.php", url.Values{
		"action": {"editpost"}, "post_ID": {"1"}, "post_type": {"post"}, "content": {"lost"}, "_wpnonce": {"0123456789"},
	}},
}

// TestEndedSessionIsRenewedOnce ends the session at the application. 32
// concurrent reads share one new login. A POST is not sent a second time.
func TestEndedSessionIsRenewedOnce(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			app := s.app(t)
			env := testenv.New(t, "")
			env.AddAdapter(app, "")
			account := env.AddAccount(app, "Agent-01")
			env.Start()
			agent := env.NewAgent(env.CreateTask(testenv.TaskSpec{Allow: s.allow}), app, testenv.BorrowCookies(t, app))
			agent.Get(s.readPath).Want(t, 200, s.readText)
			if n := countPasswords(app, account); n != 1 {
				t.Fatalf("%d logins for the first request, want 1", n)
			}

			app.KillSessions()
			app.ForgetRequests()
			var readers sync.WaitGroup
			for range 32 {
				readers.Go(func() {
					if a := agent.Get(s.readPath); a.Err != nil || a.Status != 200 || !strings.Contains(a.Body, s.readText) {
						t.Errorf("status %d, code %q, error %v; want 200 and %q", a.Status, a.Code, a.Err, s.readText)
					}
				})
			}
			readers.Wait()
			if n := countPasswords(app, account); n != 1 {
				t.Errorf("%d logins for 32 reads after the session ended, want 1", n)
			}

			app.KillSessions()
			app.ForgetRequests()
			stale := staleForms[name]
			agent.Post(stale.path, stale.form).WantRefusal(t, "renew_not_replayable")
			posts := 0
			for _, r := range app.Requests() {
				if r.Method == "POST" && r.Contains("lost") {
					posts++
				}
			}
			if posts != 1 {
				t.Errorf("the POST reached the application %d times, want once", posts)
			}

			agent.Get(s.readPath).Want(t, 200, s.readText)
			if n := countPasswords(app, account); n != 1 {
				t.Errorf("%d logins since the POST, want 1", n)
			}
			if n := env.CountLogins(name); n != 3 {
				t.Errorf("%d logins are on record, want 3", n)
			}
		})
	}
}
