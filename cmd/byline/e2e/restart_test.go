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

// TestTaskSurvivesRestart restarts the server after SIGTERM and after SIGKILL.
// Task, lease and session stay the same.
func TestTaskSurvivesRestart(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			app := s.app(t)
			env := startEnv(t, app, "lease: {ttl: 3s}", "Agent-01", "Agent-02")
			task := env.CreateTask(testenv.TaskSpec{Allow: s.allow})
			agent := env.NewAgent(task, app, nil)
			agent.Get(s.readPath).Want(t, 200, s.readText)
			session := lastCookieHeader(t, app)

			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
				env.Signal(sig)
				if a := agent.Get(s.readPath); a.Err == nil {
					t.Fatalf("got status %d while no server runs, want an error", a.Status)
				}
				env.Start()
				agent.Get(s.readPath).Want(t, 200, s.readText)
				if now := lastCookieHeader(t, app); name != "wordpress" && now != session {
					t.Errorf("the session differs after %v and a restart", sig)
				}
			}
			if n := env.CountLogins(name); n != 1 {
				t.Errorf("%d logins over two restarts, want 1", n)
			}

			env.EndTask(task)
			if status, page := app.Replay(session, s.readPath); strings.Contains(page, s.readText) {
				t.Errorf("the session is still live after the end of its task: status %d", status)
			}
			accounts := map[string]bool{}
			for _, r := range env.Records() {
				if r.Kind == "intent" {
					accounts[r.Account] = true
				}
			}
			if len(accounts) != 1 {
				t.Errorf("the task used the accounts %v, want one", accounts)
			}
			verifyAudit(t, env)
		})
	}
}

// TestI6KilledServerLeavesNoLeaseOrSession kills the server. A task that
// expires while no server runs is logged out by the next server, and a task
// that lives on gives its account back when it ends.
func TestI6KilledServerLeavesNoLeaseOrSession(t *testing.T) {
	app := testenv.MediaWiki(t)
	env := startEnv(t, app, "lease: {ttl: 2s, wait: 5s}", "Agent-01")
	allow := []string{"mediawiki:api.query"}

	task := env.CreateTask(testenv.TaskSpec{Allow: allow, For: "2s"})
	agent := env.NewAgent(task, app, nil)
	agent.Get(userInfoPath).Want(t, 200, "Agent-01")
	session := lastCookieHeader(t, app)
	env.Kill()
	time.Sleep(2 * time.Second) // until the task has expired
	if _, page := app.Replay(session, userInfoPath); !strings.Contains(page, "Agent-01") {
		t.Fatal("the session ended before the server was started again: the test cannot show who ends it")
	}

	env.Start()
	env.WaitUntil("the session is logged out", func() bool { return countCheckIns(env, task.ID) == 1 })
	if _, page := app.Replay(session, userInfoPath); strings.Contains(page, "Agent-01") {
		t.Error("the session of the expired task is still live after the restart")
	}
	agent.Get(userInfoPath).WantRefusal(t, "task_ended")

	second := env.CreateTask(testenv.TaskSpec{Allow: allow})
	env.NewAgent(second, app, nil).Get(userInfoPath).Want(t, 200, "Agent-01")
	env.Kill()
	env.Start()
	third := env.NewAgent(env.CreateTask(testenv.TaskSpec{Allow: allow}), app, nil)
	answer := make(chan testenv.Answer, 1)
	go func() { answer <- third.Get(userInfoPath) }()
	env.EndTask(second)
	(<-answer).Want(t, 200, "Agent-01")
}

// TestSIGTERMDrainsDownloads stops the server during a download, which arrives
// whole.
func TestSIGTERMDrainsDownloads(t *testing.T) {
	app := testenv.MediaWiki(t)
	env := startEnv(t, app, "drain: 15s", "Agent-01")
	task := env.CreateTask(testenv.TaskSpec{Allow: []string{"mediawiki:*"}})
	for protocol, agent := range map[string]*testenv.Agent{
		"HTTP/1.1": env.NewAgent(task, app, nil),
		"HTTP/2":   env.NewAgent(task, app, nil).WithHTTP2(),
	} {
		t.Run(protocol, func(t *testing.T) {
			app.SlowDown(func(r *http.Request) time.Duration { return pauseInBigFile(r) / 10 })
			resp, err := agent.Open(t.Context(), "GET", bigFile, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}

			result := make(chan string, 1)
			go func() {
				rest, err := io.ReadAll(resp.Body)
				result <- fmt.Sprintf("%d bytes, error %v", len(rest)+1, err)
			}()
			env.Stop()
			want := fmt.Sprintf("%d bytes, error %v", resp.ContentLength, nil)
			if got := <-result; got != want {
				t.Errorf("the download got %s, want %s", got, want)
			}
			env.Start()
		})
	}
}
