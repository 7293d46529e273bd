package e2e

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestI6SessionIsLoggedOutWhenTaskEnds replays the session of a task that was
// ended and of one that expired.
func TestI6SessionIsLoggedOutWhenTaskEnds(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			app := s.app(t)
			env := startEnv(t, app, "", "Agent-01")
			for _, by := range []string{"end", "expiry"} {
				spec := testenv.TaskSpec{Allow: s.allow}
				if by == "expiry" {
					spec.For = "3s"
				}
				task := env.CreateTask(spec)
				agent := env.NewAgent(task, app, nil)
				agent.Get(s.readPath).Want(t, 200, s.readText)
				session := lastCookieHeader(t, app)

				if by == "end" {
					if _, page := app.Replay(session, s.readPath); !strings.Contains(page, s.readText) {
						t.Fatalf("the session is not live before its task ends; want %q in:\n%.500s", s.readText, page)
					}
					env.EndTask(task)
				}
				env.WaitUntil("the session is logged out", func() bool { return countCheckIns(env, task.ID) == 1 })

				if status, page := app.Replay(session, s.readPath); strings.Contains(page, s.readText) {
					t.Errorf("the session is still live after the %s of its task: status %d", by, status)
				}
				agent.Get(s.readPath).WantRefusal(t, "task_ended")
			}
		})
	}
}

// bigFile is a static file of MediaWiki.
const bigFile = "/resources/lib/jquery/jquery.js"

// pauseInBigFile makes the download of bigFile last about ten seconds, see
// [apps.App.SlowDown].
func pauseInBigFile(r *http.Request) time.Duration {
	if r.URL.Path == bigFile {
		return 20 * time.Millisecond
	}
	return 0
}

// TestI6StreamIsCutWithinOneSecond ends a task during a download. The download
// breaks off for the agent and for the application.
func TestI6StreamIsCutWithinOneSecond(t *testing.T) {
	app := testenv.MediaWiki(t)
	env := startEnv(t, app, "", "Agent-01")
	for name, c := range map[string]struct{ http2, expires bool }{
		"task ended, HTTP/1.1":   {},
		"task ended, HTTP/2":     {http2: true},
		"task expired, HTTP/1.1": {expires: true},
		"task expired, HTTP/2":   {http2: true, expires: true},
	} {
		t.Run(name, func(t *testing.T) {
			app.ForgetRequests()
			spec := testenv.TaskSpec{Allow: []string{"mediawiki:*"}}
			if c.expires {
				spec.For = "6s"
			}
			task := env.CreateTask(spec)
			agent := env.NewAgent(task, app, nil)
			if c.http2 {
				agent = agent.WithHTTP2()
			}

			app.SlowDown(pauseInBigFile)
			ended := startDownload(t, agent)
			over := task.Expires
			if !c.expires {
				env.EndTask(task)
				over = time.Now()
			}

			select {
			case err := <-ended:
				if err == io.EOF {
					t.Error("the download looks complete to the agent, want an error")
				}
			case <-time.After(time.Until(over) + time.Second):
				t.Error("the download went on for a second after the end of its task")
			}
			testenv.WaitUntil(t, "the application sees the end of the download", func() bool {
				return slices.ContainsFunc(app.Requests(), func(r apps.Request) bool { return r.URI == bigFile && r.Aborted })
			})
			agent.Get("/index.php").WantRefusal(t, "task_ended")
		})
	}
}

// startDownload reads the first byte of bigFile, then the rest in the
// background. The channel receives the error that ends it, io.EOF included.
func startDownload(t *testing.T, agent *testenv.Agent) <-chan error {
	t.Helper()
	resp, err := agent.Open(t.Context(), "GET", bigFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	ended := make(chan error, 1)
	go func() {
		defer resp.Body.Close()
		for buf := make([]byte, 4096); ; {
			if _, err := resp.Body.Read(buf); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}
