package e2e

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// job is what agents do at one application, as a person's browser would.
type job struct {
	app   func(testing.TB) *apps.App
	allow []string // what the work needs
	// write makes or changes something and says how the application calls it
	// in its history, and the record.
	write func(t testing.TB, g *testenv.Agent, subject, text string) (title, action, resource string)
	read  string // a page that shows who is logged in
	shows string // what it shows to everybody who is
	// refusals are requests that no task with a wildcard may make.
	refusals []refusal
}

type refusal struct {
	what, method, path string
	form               url.Values
	code               string
}

var jobs = map[string]job{
	"mediawiki": {
		app: testenv.MediaWiki, allow: []string{"mediawiki:page.read,page.edit@page/Sandbox*", "mediawiki:api.query"}, write: writePage,
		read: "/api.php?action=query&meta=userinfo&format=json", shows: `"Agent-`,
		refusals: []refusal{
			{"login page", "GET", "/index.php?title=Special:UserLogin", nil, "login_by_agent"},
			{"login page, in another spelling", "GET", "/index.php?title=special:user_login", nil, "login_by_agent"},
			{"login by API", "POST", "/api.php", url.Values{"action": {"login"}, "lgname": {"x"}, "lgpassword": {"y"}}, "login_by_agent"},
			{"password page", "GET", "/index.php?title=Special:ChangeCredentials", nil, "out_of_scope"},
			{"password page, posted", "POST", "/index.php", url.Values{"title": {"Special:ChangePassword"}, "wpPassword": {"x"}}, "login_by_agent"},
			{"bot passwords", "GET", "/index.php?title=Special:BotPasswords", nil, "out_of_scope"},
			{"logout", "GET", "/index.php?title=Special:UserLogout", nil, "out_of_scope"},
			{"unnamed action", "GET", "/index.php?title=Sandbox&action=rollback", nil, "action_unclassified"},
			{"unnamed path", "GET", "/mw-config/index.php", nil, "action_unclassified"},
			{"path with two meanings", "GET", "/images/%2e%2e/index.php", nil, "ambiguous_request"},
		},
	},
	"requesttracker": {
		app: testenv.RequestTracker, allow: []string{"requesttracker:home.read,ticket.read,ticket.create,ticket.comment"}, write: writeTicket,
		read: "/", shows: "Logged in as",
		refusals: []refusal{
			{"login page", "GET", "/NoAuth/Login.html", nil, "login_by_agent"},
			{"login on another page", "POST", "/", url.Values{"user": {"x"}, "pass": {"y"}}, "login_by_agent"},
			{"password page", "GET", "/Prefs/AboutMe.html", nil, "out_of_scope"},
			{"users", "GET", "/Admin/Users/Modify.html?id=1", nil, "out_of_scope"},
			{"logout", "GET", "/NoAuth/Logout.html", nil, "out_of_scope"},
			{"unnamed path", "GET", "/Tools/MyDay.html", nil, "action_unclassified"},
			{"kept request", "GET", "/Ticket/Display.html?id=1&CSRF_Token=0123456789abcdef", nil, "action_unclassified"},
		},
	},
	"wordpress": {
		app: testenv.WordPress, allow: []string{"wordpress:dashboard.read,post.create,post.edit,post.read"}, write: writePost,
		read: "/wp-admin/", shows: "Dashboard",
		refusals: []refusal{
			{"login page", "GET", "/wp-login.php", nil, "login_by_agent"},
			{"XML-RPC", "POST", "/xmlrpc.php", url.Values{"x": {"y"}}, "login_by_agent"},
			{"password page", "GET", "/wp-admin/profile.php", nil, "out_of_scope"},
			{"application passwords", "POST", "/wp-json/wp/v2/users/me/application-passwords", url.Values{"name": {"mine"}}, "out_of_scope"},
			{"unnamed path", "GET", "/wp-admin/tools.php", nil, "action_unclassified"},
			{"REST of users on another page", "GET", "/index.php?rest_route=/wp/v2/users", nil, "out_of_scope"},
			{"REST on another page", "GET", "/index.php?rest_route=/wp/v2/nonsense", nil, "action_unclassified"},
		},
	},
}

func writePage(t testing.TB, g *testenv.Agent, subject, text string) (title, action, resource string) {
	t.Helper()
	title = "Sandbox/" + subject
	at := "/index.php?title=" + url.QueryEscape(title) + "&action="
	form := g.Get(at+"edit").Want(t, 200, "wpEditToken")
	fields := url.Values{"wpTextbox1": {text}, "wpSummary": {text}, "wpSave": {"Save"}, "wpUltimateParam": {"1"}, "model": {"wikitext"}, "format": {"text/x-wiki"}}
	for _, name := range []string{"wpEditToken", "wpStarttime", "wpEdittime", "editRevId", "wpUnicodeCheck"} {
		fields.Set(name, testenv.FormField(form.Body, name))
	}
	g.Post(at+"submit", fields).Want(t, 302, "")
	g.Get("/index.php?title="+url.QueryEscape(title)).Want(t, 200, text)
	return title, "page.edit", "page/" + title
}

var ticketNumber = regexp.MustCompile(`Ticket/Display\.html\?id=(\d+)`)

func writeTicket(t testing.TB, g *testenv.Agent, subject, text string) (title, action, resource string) {
	t.Helper()
	form := g.Get("/Ticket/Create.html?Queue=1").Want(t, 200, `name="Subject"`)
	made := g.Post("/Ticket/Create.html", url.Values{"id": {"new"}, "Queue": {"1"}, "Subject": {subject}, "Content": {"made: " + text}, "ContentType": {"text/plain"},
		"Status": {"new"}, "SubmitTicket": {"Create"}, "Token": {testenv.FormField(form.Body, "Token")}}).Want(t, 302, "")
	n := ticketNumber.FindStringSubmatch(made.Header.Get("Location"))
	if n == nil {
		t.Fatalf("no ticket in %q", made.Header.Get("Location"))
	}
	g.SendJSON("POST", "/REST/2.0/ticket/"+n[1]+"/comment", `{"ContentType":"text/plain","Content":"`+text+`"}`).Want(t, 201, "")
	g.Get("/Ticket/History.html?id="+n[1]).Want(t, 200, text)
	return "ticket/" + n[1], "ticket.comment", "ticket/" + n[1]
}

func writePost(t testing.TB, g *testenv.Agent, subject, text string) (title, action, resource string) {
	t.Helper()
	form := g.Get("/wp-admin/post-new.php").Want(t, 200, "_wpnonce")
	id := testenv.FormField(form.Body, "post_ID")
	g.Post("/wp-admin/post.php", url.Values{"_wpnonce": {testenv.FormField(form.Body, "_wpnonce")}, "action": {"editpost"}, "originalaction": {"editpost"},
		"post_ID": {id}, "post_type": {"post"}, "post_title": {subject}, "content": {text}, "excerpt": {text}, "post_status": {"publish"}, "publish": {"Publish"},
		"user_ID": {testenv.FormField(form.Body, "user_ID")}}).Want(t, 302, "")
	_, rest, _ := strings.Cut(form.Body, `createNonceMiddleware( "`)
	nonce, _, _ := strings.Cut(rest, `"`)
	own := *g
	own.Header = g.Header.Clone()
	own.Header.Set("X-WP-Nonce", nonce)
	own.SendJSON("POST", "/wp-json/wp/v2/posts/"+id, `{"title":"`+subject+`","excerpt":"`+text+`"}`).Want(t, 200, text)
	return subject, "post.edit", "post/" + id
}
