package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestStatelessSessionsThatOutliveTheirLogout uses an application whose cookie holds the
// whole session: a logout deletes it in the browser, but a copy of it stays valid.
func TestStatelessSessionsThatOutliveTheirLogout(t *testing.T) {
	a := newGateApp(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/login":
			logIn(w, r)
		case r.URL.Path == "/logout":
			http.SetCookie(w, &http.Cookie{Name: "sid", Path: "/", MaxAge: -1})
		case r.Header.Get("Cookie") == "":
			http.Redirect(w, r, "/login", http.StatusFound)
		}
	})
	env, _ := startGateEnv(t, a, "", false)
	adapter := filepath.Join(env.Dir, "adapters.d", "gate.yaml")
	text, err := os.ReadFile(adapter)
	if err != nil {
		t.Fatal(err)
	}
	env.Reload(func() {
		env.WriteFile("adapters.d/gate.yaml", strings.Replace(string(text), "{steps: [{get: /logout}]}", "{steps: [{get: /logout}], check: /home}", 1))
	})

	task := env.CreateTask(testenv.TaskSpec{Allow: []string{"gate:*"}})
	newGateAgentOf(env, task).Get("/").Want(t, 200, "")
	env.EndTask(task)
	env.WaitUntil("the account is checked in", func() bool { return countCheckIns(env, task.ID) == 1 })

	alerts, logouts := 0, 0
	for _, r := range env.Records() {
		if r.Kind == "alert" && r.Code == "session_not_ended" && r.Task == task.ID && r.Account == "agent-01" && strings.Contains(r.Detail, "still works") {
			alerts++
		}
		if r.Kind == "logout" {
			logouts++
		}
	}
	if alerts != 1 || logouts != 1 {
		t.Errorf("%d alerts and %d logouts on record, want 1 and 1", alerts, logouts)
	}

	if r := env.Byline("review", "--since", "1h"); !strings.Contains(r.Out, "session_not_ended 1×") {
		t.Errorf("byline review: %s\nwant the alert", r)
	}
	env.Stop() // which signs a checkpoint over all records
	out := filepath.Join(env.Dir, "evidence")
	if r := env.Byline("evidence", "--from", "2020-01-01", "--to", "2099-01-01", "--out", out); r.Code != 0 {
		t.Fatalf("byline evidence: %s", r)
	}
	found := false
	_ = filepath.WalkDir(out, func(path string, _ os.DirEntry, _ error) error {
		text, err := os.ReadFile(path)
		found = found || err == nil && filepath.Ext(path) != ".jsonl" && strings.Contains(string(text), "session_not_ended")
		return nil
	})
	if !found {
		t.Error("no report of byline evidence names session_not_ended")
	}
}
