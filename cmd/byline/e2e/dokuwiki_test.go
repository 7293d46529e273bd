package e2e

import (
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// dokuwikiRefusals are requests that a task with the scope dokuwiki:page.* on
// page/sandbox may not make.
var dokuwikiRefusals = []refusedRequest{
	{"login page", "GET", "/doku.php?id=start&do=login", nil, "login_by_agent"},
	{"login in the query of a page", "GET", "/doku.php?id=sandbox&u=alice&p=x", nil, "login_by_agent"},
	{"login in a form", "POST", "/lib/exe/ajax.php", url.Values{"u": {"alice"}, "p": {"x"}}, "login_by_agent"},
	{"XML-RPC", "POST", "/lib/exe/xmlrpc.php", url.Values{"x": {"y"}}, "login_by_agent"},
	{"profile", "GET", "/doku.php?do=profile", nil, "out_of_scope"},
	{"logout", "GET", "/doku.php?do=logout", nil, "out_of_scope"},
	{"another page", "GET", "/doku.php?id=start", nil, "out_of_scope"},
	{"page in upper case", "GET", "/doku.php?id=Sandbox", nil, "action_unclassified"},
	{"page with a colon", "GET", "/doku.php?id=:sandbox", nil, "action_unclassified"},
	{"index disguised as a page", "GET", "/doku.php?id=sandbox&idx=wiki", nil, "action_unclassified"},
	{"button in the query of a page", "GET", "/doku.php?id=sandbox&do[admin]=1", nil, "ambiguous_request"},
	{"another page in the form", "POST", "/doku.php?id=sandbox", url.Values{"id": {"start"}, "do[save]": {"1"}}, "action_unclassified"},
	{"two buttons", "POST", "/doku.php?id=sandbox", url.Values{"id": {"sandbox"}, "do[save]": {"1"}, "do[admin]": {"1"}}, "ambiguous_request"},
}

// TestDokuWiki takes a task through its whole life at an application whose
// adapter was written from the reference alone: read, write, be refused, lose
// the session, end.
func TestDokuWiki(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real applications are not started")
	}
	app := apps.StartDokuWiki(t, "https://pages.acme.test")
	alice := app.AddUser("alice", "alice-lent-her-cookies-1")
	cookies, err := app.LoginAs(alice.User, alice.Password)
	if err != nil {
		t.Fatal(err)
	}
	env := testenv.New(t, "")
	env.AddAdapter(app, "")
	account := env.AddAccount(app, "Agent-01")
	env.Start()
	task := env.CreateTask(testenv.TaskSpec{Allow: []string{"dokuwiki:page.*@page/sandbox"}})
	agent := env.NewAgent(task, app, cookies)

	editDokuWikiPage(t, agent)
	for _, r := range dokuwikiRefusals {
		t.Run(r.name, func(t *testing.T) { agent.SendForm(r.method, r.path, r.form).WantRefusal(t, r.code) })
	}
	header := agent.Header.Clone()
	header.Set("X-DokuWiki-Do", "profile") // overrides the action, and must be stripped
	agent.WithHeader(header).Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")

	loginsBefore := countPasswords(app, account)
	app.KillSessions()
	agent.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")
	agent.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")
	if n := countPasswords(app, account) - loginsBefore; n != 1 {
		t.Errorf("%d logins after the session ended, want 1", n)
	}

	env.EndTask(task)
	env.WaitUntil("the session is logged out", func() bool { return countCheckIns(env, task.ID) == 1 })
	requests := app.Requests()
	if probe := requests[len(requests)-1]; probe.Method != "GET" || probe.URI != "/doku.php?id=start" {
		t.Errorf("the last request is %s %s, want the one that tries the session after the logout", probe.Method, probe.URI)
	}
	if last := requests[len(requests)-2]; !strings.Contains(last.URI, "do=logout") || last.Status != 302 {
		t.Errorf("the last request is %s %s with status %d, want a logout with 302", last.Method, last.URI, last.Status)
	}
	agent.Get("/doku.php?id=sandbox").WantRefusal(t, "task_ended")

	// The wiki takes the cookie that holds the password until the password changes, and
	// the record says so.
	alerts := 0
	for _, r := range env.Records() {
		if r.Kind == "alert" && r.Code == "session_not_ended" && r.Task == task.ID {
			alerts++
		}
	}
	if alerts != 1 {
		t.Errorf("%d alerts session_not_ended, want 1", alerts)
	}

	found := false
	for _, c := range app.History() {
		if strings.EqualFold(c.User, alice.User) {
			t.Errorf("the history attributes a change to Alice: %+v", c)
		}
		if c.User == "agent-01" && c.Title == "sandbox" && c.Comment == "INC-7" {
			found = true
		}
	}
	if !found {
		t.Errorf("the history has no change of sandbox by agent-01: %+v", app.History())
	}
}

// editDokuWikiPage writes the page sandbox by DokuWiki's edit form.
func editDokuWikiPage(t *testing.T, agent *testenv.Agent) {
	t.Helper()

	form := agent.Get("/doku.php?id=sandbox&do=edit").Want(t, 200, "agent-01")
	_, editor, _ := strings.Cut(form.Body, `id="dw__editform"`)
	fields := url.Values{
		"id": {"sandbox"}, "rev": {"0"}, "date": {""}, "prefix": {"."}, "suffix": {""},
		"wikitext": {"by an agent"}, "summary": {"INC-7"}, "do[save]": {"1"},
	}
	for _, name := range []string{"sectok", "changecheck"} {
		fields.Set(name, html.UnescapeString(testenv.FormField(editor, name)))
	}

	agent.Post("/doku.php?id=sandbox&do=edit", fields).Want(t, 302, "")
	agent.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")
}
