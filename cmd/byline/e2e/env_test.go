package e2e

import (
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

// startEnv starts an installation with an adapter for app and the given
// compensating accounts. config is added to byline.yaml.
func startEnv(t *testing.T, app *apps.App, config string, accounts ...string) *testenv.Env {
	t.Helper()
	env := testenv.New(t, config)
	env.AddAdapter(app, "")
	for _, name := range accounts {
		env.AddAccount(app, name)
	}
	env.Start()
	return env
}

// lastRecord returns the last record of that kind about an action on a
// resource. The test fails if there is none.
func lastRecord(t *testing.T, env *testenv.Env, kind, action, resource string) audit.Record {
	t.Helper()
	var found audit.Record
	for _, r := range env.Records() {
		if r.Kind == kind && r.Action == action && r.Resource == resource {
			found = r
		}
	}
	if found.Kind == "" {
		t.Fatalf("no record of kind %s about %s on %s", kind, action, resource)
	}
	return found
}

// countCheckIns returns how many leases the task has given back.
func countCheckIns(env *testenv.Env, task string) int {
	n := 0
	for _, r := range env.Records() {
		if r.Kind == "lease" && r.Task == task && r.Detail == "checked in" {
			n++
		}
	}
	return n
}

// lastCookieHeader returns the Cookie header that the application received
// last. It is the session of the compensating account.
func lastCookieHeader(t *testing.T, app *apps.App) string {
	t.Helper()
	headers := app.CookieHeaders()
	if len(headers) == 0 {
		t.Fatal("the application received no Cookie header")
	}
	return headers[len(headers)-1]
}

// verifyAudit runs byline audit verify.
func verifyAudit(t *testing.T, env *testenv.Env) {
	t.Helper()
	if r := env.Byline("audit", "verify"); r.Code != 0 {
		t.Errorf("byline audit verify: %s", r)
	}
}
