package e2e

import (
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestDokuWiki is an application whose adapter was written from the language's
// description alone: borrow, read, write, be refused, lose the session, end.
func TestDokuWiki(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real applications are not started")
	}
	app := apps.StartDokuWiki(t, "https://pages.acme.test")
	alice := app.AddUser("alice", "alice-lent-her-cookies-1")
	lent, err := app.LoginAs(alice.User, alice.Password)
	if err != nil {
		t.Fatal(err)
	}
	h := testenv.New(t, "")
	h.AddAdapter(app, "")
	account := h.AddAccount(app, "Agent-01")
	h.Start()
	task := h.CreateTask(testenv.TaskSpec{Allow: []string{"dokuwiki:page.*@page/sandbox"}})
	agent := h.NewAgent(task, app, lent)

	form := agent.Get("/doku.php?id=sandbox&do=edit").Want(t, 200, "agent-01")
	_, editor, _ := strings.Cut(form.Body, `id="dw__editform"`)
	fields := url.Values{"id": {"sandbox"}, "rev": {"0"}, "date": {""}, "prefix": {"."}, "suffix": {""}, "wikitext": {"by an agent"}, "summary": {"INC-7"}, "do[save]": {"1"}}
	for _, name := range []string{"sectok", "changecheck"} {
		fields.Set(name, html.UnescapeString(testenv.FormField(editor, name)))
	}
	agent.Post("/doku.php?id=sandbox&do=edit", fields).Want(t, 302, "")
	agent.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")

	for _, c := range []struct {
		what, method, target string
		form                 url.Values
		code                 string
	}{
		{"login page", "GET", "/doku.php?id=start&do=login", nil, "login_by_agent"},
		{"login on any page", "GET", "/doku.php?id=sandbox&u=alice&p=x", nil, "login_by_agent"},
		{"login by a field", "POST", "/lib/exe/ajax.php", url.Values{"u": {"alice"}, "p": {"x"}}, "login_by_agent"},
		{"XML-RPC", "POST", "/lib/exe/xmlrpc.php", url.Values{"x": {"y"}}, "login_by_agent"},
		{"profile", "GET", "/doku.php?do=profile", nil, "out_of_scope"},
		{"logout", "GET", "/doku.php?do=logout", nil, "out_of_scope"},
		{"another page", "GET", "/doku.php?id=start", nil, "out_of_scope"},
		{"another spelling", "GET", "/doku.php?id=Sandbox", nil, "action_unclassified"},
		{"another spelling yet", "GET", "/doku.php?id=:sandbox", nil, "action_unclassified"},
		{"index in the clothes of a page", "GET", "/doku.php?id=sandbox&idx=wiki", nil, "action_unclassified"},
		{"a button on a page", "GET", "/doku.php?id=sandbox&do[admin]=1", nil, "action_unclassified"},
		{"another page in the form", "POST", "/doku.php?id=sandbox", url.Values{"id": {"start"}, "do[save]": {"1"}}, "action_unclassified"},
		{"two buttons", "POST", "/doku.php?id=sandbox", url.Values{"id": {"sandbox"}, "do[save]": {"1"}, "do[admin]": {"1"}}, "action_unclassified"},
	} {
		t.Run(c.what, func(t *testing.T) { agent.SendForm(c.method, c.target, c.form).WantRefusal(t, c.code) })
	}
	by := *agent
	by.Header = agent.Header.Clone()
	by.Header.Set("X-DokuWiki-Do", "profile")
	by.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent") // the header stays behind

	before := loginsSeen(app, account)
	app.KillSessions()
	agent.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")
	agent.Get("/doku.php?id=sandbox").Want(t, 200, "by an agent")
	if n := loginsSeen(app, account) - before; n != 1 {
		t.Errorf("%d logins for a session that was killed, want 1", n)
	}

	h.EndTask(task)
	h.WaitUntil("the session is logged out", func() bool { return checkedIn(h, task.ID) == 1 })
	all := app.Requests()
	if last := all[len(all)-1]; !strings.Contains(last.URI, "do=logout") || last.Status != 302 {
		t.Errorf("the last request was %s %s: %d, want a logout", last.Method, last.URI, last.Status)
	}
	agent.Get("/doku.php?id=sandbox").WantRefusal(t, "task_ended")
	seen := false
	for _, c := range app.History() {
		if strings.EqualFold(c.User, alice.User) {
			t.Errorf("the wiki says that alice did it: %+v", c)
		}
		seen = seen || c.User == "agent-01" && c.Title == "sandbox" && c.Comment == "INC-7"
	}
	if !seen {
		t.Errorf("the account is not in the wiki's history: %+v", app.History())
	}
}
