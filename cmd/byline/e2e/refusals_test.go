package e2e

import (
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestI7RefusedRequestsNeverReachApplication sends requests outside the scope,
// requests that no wildcard grants, and requests without a name in the adapter.
func TestI7RefusedRequestsNeverReachApplication(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			app := s.app(t)
			env := startEnv(t, app, "", "Agent-01")
			everything := env.NewAgent(env.CreateTask(testenv.TaskSpec{Allow: []string{name + ":*"}}), app, testenv.BorrowCookies(t, app))
			app.ForgetRequests()

			for _, r := range s.refusals {
				t.Run(r.name, func(t *testing.T) {
					everything.SendForm(r.method, r.path, r.form).WantRefusal(t, r.code)
				})
			}
			narrow := env.NewAgent(env.CreateTask(testenv.TaskSpec{Allow: []string{name + ":static.read"}}), app, testenv.BorrowCookies(t, app))
			narrow.Get(s.readPath).WantRefusal(t, "out_of_scope")

			if requests := app.Requests(); len(requests) != 0 {
				t.Errorf("%d requests reached the application, want 0; the first is %s %s", len(requests), requests[0].Method, requests[0].URI)
			}

			env.Stop() // a refusal is sent before its record is durable
			refusals := 0
			for _, r := range env.Records() {
				if r.Kind == "refusal" {
					refusals++
				}
			}
			if want := len(s.refusals) + 1; refusals != want {
				t.Errorf("%d refusals are on record, want %d", refusals, want)
			}
		})
	}
}
