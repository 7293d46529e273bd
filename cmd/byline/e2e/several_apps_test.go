package e2e

import (
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestI6OneTaskAtThreeApplications uses every application from one task at the
// same time. No application receives the session of another, and all sessions
// end with the task.
func TestI6OneTaskAtThreeApplications(t *testing.T) {
	env := testenv.New(t, "")
	running := map[string]*apps.App{}
	var allow []string
	for name, s := range scenarios {
		running[name] = s.app(t)
		env.AddAdapter(running[name], "")
		env.AddAccount(running[name], "Agent-01")
		allow = append(allow, s.allow...)
	}
	env.Start()
	task := env.CreateTask(testenv.TaskSpec{Allow: allow})

	var readers sync.WaitGroup
	for name, s := range scenarios {
		agent := env.NewAgent(task, running[name], testenv.BorrowCookies(t, running[name]))
		readers.Go(func() {
			for range 3 {
				if a := agent.Get(s.readPath); a.Err != nil || a.Status != 200 || !strings.Contains(a.Body, s.readText) {
					t.Errorf("%s: status %d, code %q, error %v; want 200 and %q", name, a.Status, a.Code, a.Err, s.readText)
				}
			}
		})
	}
	readers.Wait()

	sessions := map[string]string{}
	for name := range scenarios {
		sessions[name] = lastCookieHeader(t, running[name])
	}
	env.EndTask(task)

	for name, s := range scenarios {
		if _, page := running[name].Replay(sessions[name], s.readPath); strings.Contains(page, s.readText) {
			t.Errorf("I6: the session at %s is still live after the end of its task", name)
		}
		for other := range scenarios {
			if other != name && strings.Contains(strings.Join(running[other].CookieHeaders(), "\n"), sessions[name]) {
				t.Errorf("%s received the session at %s", other, name)
			}
		}
	}
	if n := countCheckIns(env, task.ID); n != len(scenarios) {
		t.Errorf("%d accounts were checked in, want %d", n, len(scenarios))
	}

	// The identity probe of each adapter has named the account after the login,
	// and nobody after the logout.
	tried := map[string]bool{}
	for _, r := range env.Records() {
		if r.Kind == "outcome" && r.Detail == "the session was tried afterwards and is over" {
			tried[r.Adapter] = true
		}
		if r.Kind == "alert" && r.Code == "session_not_ended" {
			t.Errorf("%s: an alert says that %s", r.Adapter, r.Detail)
		}
	}
	for name := range scenarios {
		if !tried[name] {
			t.Errorf("the session at %s was not tried after its logout", name)
		}
	}
}
