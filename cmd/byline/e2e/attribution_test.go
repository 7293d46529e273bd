package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
	"github.com/byline-proxy/byline/proxy/audit"
)

// The product's main promise, at each application: alice lends her session, and
// the application's history nevertheless names who really acted, which the
// record joins to agent, sponsor and grant.
func TestI4TheApplicationNamesTheAccountAndTheRecordTheAgent(t *testing.T) {
	for name, j := range jobs {
		t.Run(name, func(t *testing.T) {
			app := j.app(t)
			h := testenv.New(t, "")
			h.AddAdapter(app, "")
			h.AddAccount(app, "Agent-01")
			h.Start()
			lent := testenv.BorrowCookies(t, app)
			spec := testenv.TaskSpec{Agent: "spiffe://acme.test/agent/" + name, Sponsor: "alice@acme.test", Purpose: "INC-77", Allow: j.allow}
			task := h.CreateTask(spec)
			agent := h.NewAgent(task, app, lent)
			began := time.Now()
			title, action, resource := j.write(t, agent, "Printer-"+name, "the printer is on fire")
			agent.Get(j.read).Want(t, 200, j.shows)
			h.EndTask(task)

			checkHistory(t, app, began, title, "the printer is on fire", "Agent-01")
			r := recordOf(t, h, "intent", action, resource)
			if r.Agent != spec.Agent || r.Sponsor != spec.Sponsor || r.Task != task.ID || r.Grant != task.Grant || r.Grant == "" ||
				r.Adapter != name || r.AdapterDigest == "" || r.PolicyDigest == "" || r.Account != "agent-01" || r.Lease == "" || r.Decision.Effect != "permit" {
				t.Errorf("the record does not join who acted: %+v", r)
			}
			if len(r.Stripped) == 0 {
				t.Errorf("alice's cookies are not on record as stripped: %+v", r)
			}
			checkRecords(t, h, task)
			if r := h.Byline("audit", "verify"); r.Code != 0 {
				t.Errorf("byline audit verify: %s", r)
			}
		})
	}
}

// checkHistory wants a change by user, and everything since began to be his.
func checkHistory(t *testing.T, app *apps.App, began time.Time, title, comment, user string) {
	t.Helper()
	found := false
	for _, c := range app.History() {
		if strings.EqualFold(c.User, "alice") {
			t.Errorf("the application says that alice did it: %+v", c)
		}
		found = found || c.Title == title && c.Comment == comment && c.User == user && c.Time.After(began.Add(-2*time.Second))
	}
	if !found {
		t.Errorf("no change of %q by %s in the application's history: %+v", title, user, app.History())
	}
}

// recordOf is the last record of that kind about an action.
func recordOf(t *testing.T, h *testenv.Env, kind, action, resource string) (found audit.Record) {
	t.Helper()
	for _, r := range h.Records() {
		if r.Kind == kind && r.Action == action && r.Resource == resource {
			found = r
		}
	}
	if found.Kind == "" {
		t.Fatalf("no %s of %s on %s is on record", kind, action, resource)
	}
	return found
}

// checkRecords wants every record of an exchange to say all of I4, and every
// intent to have its outcome.
func checkRecords(t *testing.T, h *testenv.Env, task *testenv.Task) {
	t.Helper()
	open := map[string]audit.Record{}
	for _, r := range h.Records() {
		if r.Task == "" {
			continue
		}
		if r.Task != task.ID || r.Agent == "" || r.Sponsor == "" || r.Grant != task.Grant {
			t.Errorf("record %d (%s) does not say who: %+v", r.Seq, r.Kind, r)
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
		if exchange := r.Method != ""; exchange && (r.AdapterDigest == "" || r.PolicyDigest == "" || r.Decision.Effect == "" || r.Host == "" || r.Kind != "refusal" && (r.Account == "" || r.Lease == "" || r.Action == "")) {
			t.Errorf("record %d (%s) leaves out a part of I4: %+v", r.Seq, r.Kind, r)
		}
	}
	for _, r := range open {
		t.Errorf("%s %d has no outcome: %+v", r.Kind, r.Seq, r)
	}
}

// byline run surrounds a program that knows nothing of Byline.
func TestI1AProgramInBylineRunSeesNoSecret(t *testing.T) {
	app := testenv.MediaWiki(t)
	h := testenv.New(t, "")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	began := time.Now()
	const at = "/index.php?title=Sandbox/Run&action="
	answers := h.RunAgent(testenv.TaskSpec{Allow: jobs["mediawiki"].allow}, testenv.AgentScript{BaseURL: app.PublicURL, Cookies: testenv.BorrowCookies(t, app), Steps: []testenv.Step{
		{Method: "GET", Path: at + "edit", Take: []string{"wpEditToken", "wpStarttime", "wpEdittime", "wpUnicodeCheck"}},
		{Method: "POST", Path: at + "submit", Form: map[string][]string{"wpTextbox1": {"by a program"}, "wpSummary": {"by a program"}, "wpSave": {"Save"},
			"wpUltimateParam": {"1"}, "model": {"wikitext"}, "format": {"text/x-wiki"}, "wpEditToken": {"${wpEditToken}"}, "wpStarttime": {"${wpStarttime}"},
			"wpEdittime": {"${wpEdittime}"}, "wpUnicodeCheck": {"${wpUnicodeCheck}"}}},
		{Method: "GET", Path: "/index.php?title=Main_Page"},
	}}, func(pid int) {
		h.SearchProcessEnvironment(t, pid)
		h.SearchForSecrets(t)
	})
	if len(answers) != 3 {
		t.Fatalf("%d answers", len(answers))
	}
	answers[1].Want(t, 302, "")
	answers[2].WantRefusal(t, "out_of_scope")
	checkHistory(t, app, began, "Sandbox/Run", "by a program", "Agent-01")
	var tasks []testenv.Task
	h.BylineJSON(&tasks, "task", "list")
	if len(tasks) != 1 || tasks[0].State == "active" {
		t.Errorf("the task did not end with its program: %+v", tasks)
	}
}

// What a task may not do never reaches the application: neither what its scope
// leaves out, nor what no wildcard grants, nor what nobody has named.
func TestI7RefusedRequestsDoNotReachTheApplication(t *testing.T) {
	for name, j := range jobs {
		t.Run(name, func(t *testing.T) {
			app := j.app(t)
			h := testenv.New(t, "")
			h.AddAdapter(app, "")
			h.AddAccount(app, "Agent-01")
			h.Start()
			agent := h.NewAgent(h.CreateTask(testenv.TaskSpec{Allow: []string{name + ":*"}}), app, testenv.BorrowCookies(t, app))
			app.ForgetRequests()
			for _, r := range j.refusals {
				t.Run(r.what, func(t *testing.T) { agent.SendForm(r.method, r.path, r.form).WantRefusal(t, r.code) })
			}
			narrow := h.NewAgent(h.CreateTask(testenv.TaskSpec{Allow: []string{name + ":static.read"}}), app, testenv.BorrowCookies(t, app))
			narrow.Get(j.read).WantRefusal(t, "out_of_scope")
			if seen := app.Requests(); len(seen) != 0 {
				t.Errorf("%d requests reached the application, the first: %s %s", len(seen), seen[0].Method, seen[0].URI)
			}
			h.Stop() // a refusal is answered before its record is durable
			refused := 0
			for _, r := range h.Records() {
				if r.Kind == "refusal" {
					refused++
				}
			}
			if want := len(j.refusals) + 1; refused != want {
				t.Errorf("%d refusals are on record, want %d", refused, want)
			}
		})
	}
}

// One task may work at several applications; what each of them gave it goes to
// no other, and all of it ends with the task.
func TestI6OneTaskAtThreeApplications(t *testing.T) {
	h := testenv.New(t, "")
	spec := testenv.TaskSpec{}
	running := map[string]*apps.App{}
	for name, j := range jobs {
		running[name] = j.app(t)
		h.AddAdapter(running[name], "")
		h.AddAccount(running[name], "Agent-01")
		spec.Allow = append(spec.Allow, j.allow...)
	}
	h.Start()
	task := h.CreateTask(spec)
	var wait sync.WaitGroup
	for name, j := range jobs {
		agent := h.NewAgent(task, running[name], testenv.BorrowCookies(t, running[name]))
		wait.Go(func() {
			for range 3 {
				if a := agent.Get(j.read); a.Err != nil || a.Status != 200 || !strings.Contains(a.Body, j.shows) {
					t.Errorf("%s: status %d, code %q, %v", name, a.Status, a.Code, a.Err)
				}
			}
		})
	}
	wait.Wait()
	sessions := map[string]string{}
	for name := range jobs {
		sessions[name] = theSession(t, running[name])
	}
	h.EndTask(task)
	for name, j := range jobs {
		if _, page := running[name].Replay(sessions[name], j.read); strings.Contains(page, j.shows) {
			t.Errorf("%s: the session outlived the task", name)
		}
		for other := range jobs {
			if all := strings.Join(running[other].CookieHeaders(), "\n"); other != name && strings.Contains(all, sessions[name]) {
				t.Errorf("%s was sent the session at %s", other, name)
			}
		}
	}
	if n := checkedIn(h, task.ID); n != len(jobs) {
		t.Errorf("%d accounts were checked in, want %d", n, len(jobs))
	}
}
