package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// Task, lease and session survive the server, whether it was asked to go or
// was killed.
func TestATaskSurvivesARestart(t *testing.T) {
	for name, j := range jobs {
		t.Run(name, func(t *testing.T) {
			app := j.app(t)
			h := testenv.New(t, "lease: {ttl: 3s}")
			h.AddAdapter(app, "")
			h.AddAccount(app, "Agent-01")
			h.AddAccount(app, "Agent-02")
			h.Start()
			task := h.CreateTask(testenv.TaskSpec{Allow: j.allow})
			agent := h.NewAgent(task, app, nil)
			agent.Get(j.read).Want(t, 200, j.shows)
			session := theSession(t, app)
			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
				h.Signal(sig)
				if a := agent.Get(j.read); a.Err == nil {
					t.Fatalf("answered without a server: %d", a.Status)
				}
				h.Start()
				agent.Get(j.read).Want(t, 200, j.shows)
				if now := theSession(t, app); name != "wordpress" && now != session {
					t.Errorf("after %v there is another session", sig)
				}
			}
			if n := h.CountLogins(name); n != 1 {
				t.Errorf("%d logins over two restarts, want 1", n)
			}
			h.EndTask(task)
			if status, page := app.Replay(session, j.read); strings.Contains(page, j.shows) {
				t.Errorf("a session that outlived restarts outlived its task: status %d", status)
			}
			accounts := map[string]bool{}
			for _, r := range h.Records() {
				if r.Kind == "intent" {
					accounts[r.Account] = true
				}
			}
			if len(accounts) != 1 {
				t.Errorf("the task worked as %v", accounts)
			}
			if r := h.Byline("audit", "verify"); r.Code != 0 {
				t.Errorf("byline audit verify: %s", r)
			}
		})
	}
}

// A task whose time is over while no server runs leaves nothing behind: its
// session is ended and its account is free as soon as one does.
func TestI6AKillLeavesNoLeaseAndNoSession(t *testing.T) {
	app := testenv.MediaWiki(t)
	h := testenv.New(t, "lease: {ttl: 2s, wait: 5s}")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	allow := []string{"mediawiki:api.query"}
	task := h.CreateTask(testenv.TaskSpec{Allow: allow, For: "2s"})
	agent := h.NewAgent(task, app, nil)
	agent.Get(askWho).Want(t, 200, "Agent-01")
	session := theSession(t, app)
	h.Kill()
	time.Sleep(2 * time.Second) // until the task is over
	if _, page := app.Replay(session, askWho); !strings.Contains(page, "Agent-01") {
		t.Fatal("the session is not live any more, so nothing will be shown")
	}
	h.Start()
	h.WaitUntil("the session is logged out", func() bool { return checkedIn(h, task.ID) == 1 })
	if _, page := app.Replay(session, askWho); strings.Contains(page, "Agent-01") {
		t.Error("the session of a task that is over is still live")
	}
	agent.Get(askWho).WantRefusal(t, "task_ended")

	// A task that lives on gives its account back when it ends.
	second := h.CreateTask(testenv.TaskSpec{Allow: allow})
	h.NewAgent(second, app, nil).Get(askWho).Want(t, 200, "Agent-01")
	h.Kill()
	h.Start()
	third := h.NewAgent(h.CreateTask(testenv.TaskSpec{Allow: allow}), app, nil)
	got := make(chan testenv.Answer, 1)
	go func() { got <- third.Get(askWho) }()
	h.EndTask(second)
	(<-got).Want(t, 200, "Agent-01")
}

// SIGTERM lets an answer under way end, and admits nothing new.
func TestSIGTERMLetsADownloadEnd(t *testing.T) {
	app := testenv.MediaWiki(t)
	h := testenv.New(t, "drain: 15s")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	task := h.CreateTask(testenv.TaskSpec{Allow: []string{"mediawiki:*"}})
	for proto, agent := range map[string]*testenv.Agent{"h1": h.NewAgent(task, app, nil), "h2": h.NewAgent(task, app, nil).WithHTTP2()} {
		t.Run(proto, func(t *testing.T) {
			app.SlowDown(func(q *http.Request) time.Duration { return trickle(q) / 10 })
			open, err := agent.Open(t.Context(), "GET", bigFile, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Body.Close()
			first := make([]byte, 1)
			if _, err := io.ReadFull(open.Body, first); err != nil {
				t.Fatal(err)
			}
			done := make(chan string, 1)
			go func() {
				rest, err := io.ReadAll(open.Body)
				done <- fmt.Sprint(len(rest)+1, " ", err)
			}()
			h.Stop()
			if got := <-done; got != fmt.Sprint(open.ContentLength, " ", nil) {
				t.Errorf("of %d bytes came %s", open.ContentLength, got)
			}
			h.Start()
		})
	}
}
