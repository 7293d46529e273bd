package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// loginsSeen counts the requests that carried the account's password.
func loginsSeen(app *apps.App, l apps.Login) (n int) {
	for _, s := range app.Requests() {
		if s.Contains(url.QueryEscape(l.Password)) {
			n++
		}
	}
	return n
}

// forge are forms whose POST the application will turn down once the session
// is gone; they are sent as they were filled in before.
var forge = map[string]struct {
	path string
	form url.Values
}{
	"mediawiki": {"/index.php?title=Sandbox/Lost&action=submit", url.Values{"wpTextbox1": {"lost"}, "wpSave": {"Save"}, "wpUltimateParam": {"1"},
		"model": {"wikitext"}, "format": {"text/x-wiki"}, "wpEditToken": {"0123456789abcdef0123456789abcdef01234567+\\"}, "wpUnicodeCheck": {"ℳ𝒲♥𝓊𝓃𝒾𝒸ℴ𝒹ℯ"}}},
	"requesttracker": {"/Ticket/Create.html", url.Values{"id": {"new"}, "Queue": {"1"}, "Subject": {"Lost"}, "Content": {"lost"}, "SubmitTicket": {"Create"}}},
	"wordpress":      {"/wp-admin/post.php", url.Values{"action": {"editpost"}, "post_ID": {"1"}, "post_type": {"post"}, "content": {"lost"}, "_wpnonce": {"0123456789"}}},
}

func TestASessionKilledAtTheApplicationIsRenewedOnce(t *testing.T) {
	for name, j := range jobs {
		t.Run(name, func(t *testing.T) {
			app := j.app(t)
			h := testenv.New(t, "")
			h.AddAdapter(app, "")
			account := h.AddAccount(app, "Agent-01")
			h.Start()
			agent := h.NewAgent(h.CreateTask(testenv.TaskSpec{Allow: j.allow}), app, testenv.BorrowCookies(t, app))
			agent.Get(j.read).Want(t, 200, j.shows)
			if n := loginsSeen(app, account); n != 1 {
				t.Fatalf("%d logins before anything happened", n)
			}
			app.KillSessions()
			app.ForgetRequests()
			var wait sync.WaitGroup
			for range 32 {
				wait.Go(func() {
					if a := agent.Get(j.read); a.Err != nil || a.Status != 200 || !strings.Contains(a.Body, j.shows) {
						t.Errorf("status %d, code %q, %v", a.Status, a.Code, a.Err)
					}
				})
			}
			wait.Wait()
			if n := loginsSeen(app, account); n != 1 {
				t.Errorf("%d logins for 32 requests, want 1", n)
			}

			app.KillSessions()
			app.ForgetRequests()
			agent.Post(forge[name].path, forge[name].form).WantRefusal(t, "renew_not_replayable")
			posted := 0
			for _, s := range app.Requests() {
				if s.Method == "POST" && s.Contains("lost") {
					posted++
				}
			}
			if posted != 1 {
				t.Errorf("the POST reached the application %d times, want 1", posted)
			}
			agent.Get(j.read).Want(t, 200, j.shows)
			if n := loginsSeen(app, account); n != 1 {
				t.Errorf("%d logins after the POST, want 1", n)
			}
			if n := h.CountLogins(name); n != 3 {
				t.Errorf("%d logins are on record, want 3", n)
			}
		})
	}
}

// theSession is the Cookie header that the application saw last.
func theSession(t *testing.T, app *apps.App) string {
	t.Helper()
	all := app.CookieHeaders()
	if len(all) == 0 {
		t.Fatal("the application saw no cookie")
	}
	return all[len(all)-1]
}

func TestI6TheSessionIsDeadAtTheApplicationWhenItsTaskEnds(t *testing.T) {
	for name, j := range jobs {
		t.Run(name, func(t *testing.T) {
			app := j.app(t)
			h := testenv.New(t, "")
			h.AddAdapter(app, "")
			h.AddAccount(app, "Agent-01")
			h.Start()
			for _, end := range []string{"end", "expiry"} {
				spec := testenv.TaskSpec{Allow: j.allow}
				if end == "expiry" {
					spec.For = "3s"
				}
				task := h.CreateTask(spec)
				agent := h.NewAgent(task, app, nil)
				agent.Get(j.read).Want(t, 200, j.shows)
				stolen := theSession(t, app)
				if _, page := app.Replay(stolen, j.read); end == "end" && !strings.Contains(page, j.shows) {
					t.Fatalf("the session of a living task is not live: %.500s", page)
				}
				if end == "end" {
					h.EndTask(task)
				}
				h.WaitUntil("the session is logged out", func() bool { return checkedIn(h, task.ID) == 1 })
				if status, page := app.Replay(stolen, j.read); strings.Contains(page, j.shows) {
					t.Errorf("%s: the session outlived its task: status %d", end, status)
				}
				agent.Get(j.read).WantRefusal(t, "task_ended")
			}
		})
	}
}

// checkedIn counts the leases that a task has given back.
func checkedIn(h *testenv.Env, task string) (n int) {
	for _, r := range h.Records() {
		if r.Kind == "lease" && r.Task == task && r.Detail == "checked in" {
			n++
		}
	}
	return n
}

// bigFile is one that the wiki sends, and trickle is how: for some ten seconds.
const bigFile = "/resources/lib/jquery/jquery.js"

func trickle(q *http.Request) time.Duration {
	if q.URL.Path == bigFile {
		return 20 * time.Millisecond
	}
	return 0
}

// A stream that is open when its task ends or expires is cut within a second,
// towards the agent and towards the application.
func TestI6AStreamIsCutWithinASecond(t *testing.T) {
	app := testenv.MediaWiki(t)
	h := testenv.New(t, "")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	for name, c := range map[string]struct {
		h2, expires bool
	}{"ended h1": {}, "ended h2": {h2: true}, "expired h1": {expires: true}, "expired h2": {true, true}} {
		t.Run(name, func(t *testing.T) {
			app.ForgetRequests()
			spec := testenv.TaskSpec{Allow: []string{"mediawiki:*"}}
			if c.expires {
				spec.For = "6s"
			}
			task := h.CreateTask(spec)
			agent := h.NewAgent(task, app, nil)
			if c.h2 {
				agent = agent.WithHTTP2()
			}
			app.SlowDown(trickle)
			ended := stream(t, agent)
			over := task.Expires
			if !c.expires {
				h.EndTask(task)
				over = time.Now()
			}
			select {
			case err := <-ended:
				if err.Error() == "EOF" {
					t.Error("the cut stream looks whole to the agent")
				}
			case <-time.After(time.Until(over) + time.Second):
				t.Error("the stream went on for a second after its task")
			}
			testenv.WaitUntil(t, "the application notices", func() bool {
				return slices.ContainsFunc(app.Requests(), func(s apps.Request) bool { return s.URI == bigFile && s.Aborted })
			})
			agent.Get("/index.php").WantRefusal(t, "task_ended")
		})
	}
}

// stream begins a download and tells how it ended.
func stream(t *testing.T, agent *testenv.Agent) <-chan error {
	t.Helper()
	open, err := agent.Open(t.Context(), "GET", bigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		defer open.Body.Close()
		for b := make([]byte, 4096); ; {
			if _, err := open.Body.Read(b); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}
