package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

// TestI4HistoryNamesAccountAndRecordNamesAgent shows the main promise of the
// product at each application. Alice lends her session to an agent. The
// application's history names the compensating account, and the record joins
// that account to the agent, its sponsor and the grant.
func TestI4HistoryNamesAccountAndRecordNamesAgent(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			app := s.app(t)
			env := startEnv(t, app, "", "Agent-01")
			spec := testenv.TaskSpec{Agent: "spiffe://acme.test/agent/" + name, Sponsor: "alice@acme.test", Purpose: "INC-77", Allow: s.allow}
			cookies := testenv.BorrowCookies(t, app)
			task := env.CreateTask(spec)
			agent := env.NewAgent(task, app, cookies)

			const text = "the printer is on fire"
			began := time.Now()
			made := s.write(t, agent, "Printer-"+name, text)
			agent.Get(s.readPath).Want(t, 200, s.readText)
			env.EndTask(task)

			checkHistory(t, app, began, made.title, text, "Agent-01")
			r := lastRecord(t, env, "intent", made.action, made.resource)
			if r.Agent != spec.Agent || r.Sponsor != spec.Sponsor || r.Task != task.ID || r.Grant != task.Grant || r.Grant == "" {
				t.Errorf("the intent does not name agent, sponsor, task and grant of %+v: %+v", task, r)
			}
			if r.Adapter != name || r.AdapterDigest == "" || r.PolicyDigest == "" || r.Decision.Effect != "permit" {
				t.Errorf("the intent does not name adapter %s, both digests and the decision: %+v", name, r)
			}
			if r.Account != "agent-01" || r.Lease == "" {
				t.Errorf("the intent does not name account agent-01 and its lease: %+v", r)
			}
			if len(r.Stripped) == 0 {
				t.Errorf("the intent does not record that Alice's cookies were stripped: %+v", r)
			}
			checkRecords(t, env, task)
			verifyAudit(t, env)
		})
	}
}

// checkHistory checks that the application's history has a change of title by
// user since began, and no change by Alice.
func checkHistory(t *testing.T, app *apps.App, began time.Time, title, comment, user string) {
	t.Helper()
	found := false
	for _, c := range app.History() {
		if strings.EqualFold(c.User, "alice") {
			t.Errorf("the history attributes a change to Alice: %+v", c)
		}
		if c.Title == title && c.Comment == comment && c.User == user && c.Time.After(began.Add(-2*time.Second)) {
			found = true
		}
	}
	if !found {
		t.Errorf("the history has no change of %q by %s with comment %q: %+v", title, user, comment, app.History())
	}
}

// checkRecords checks that every record with a task has all that I4 demands,
// and that every intent, login and logout has an outcome. All tasks but one are
// errors.
func checkRecords(t *testing.T, env *testenv.Env, task *testenv.Task) {
	t.Helper()
	open := map[string]audit.Record{} // by ID; without an outcome so far
	for _, r := range env.Records() {
		if r.Task == "" {
			continue
		}

		if r.Task != task.ID || r.Agent == "" || r.Sponsor == "" || r.Grant != task.Grant {
			t.Errorf("I4: record %d (%s) does not name agent, sponsor, task %s and its grant: %+v", r.Seq, r.Kind, task.ID, r)
		}
		if r.Method != "" && (r.AdapterDigest == "" || r.PolicyDigest == "" || r.Decision.Effect == "" || r.Host == "") {
			t.Errorf("I4: record %d (%s) lacks a digest, the decision or the host: %+v", r.Seq, r.Kind, r)
		}
		if r.Method != "" && r.Kind != "refusal" && (r.Account == "" || r.Lease == "" || r.Action == "") {
			t.Errorf("I4: record %d (%s) lacks the account, the lease or the action: %+v", r.Seq, r.Kind, r)
		}

		switch r.Kind {
		case "intent", "login", "logout":
			open[r.ID] = r
		case "outcome":
			if _, ok := open[r.Intent]; !ok {
				t.Errorf("outcome %d has no intent: %+v", r.Seq, r)
			}
			delete(open, r.Intent)
		}
	}
	for _, r := range open {
		t.Errorf("%s %d has no outcome: %+v", r.Kind, r.Seq, r)
	}
}
