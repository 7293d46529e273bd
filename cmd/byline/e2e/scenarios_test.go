package e2e

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// scenario is what agents do at one application.
type scenario struct {
	app   func(testing.TB) *apps.App
	allow []string // scope that write and readPath need

	// write creates or changes something whose text contains text.
	write func(t testing.TB, agent *testenv.Agent, subject, text string) change

	readPath string // a page for logged-in users
	readText string // what it shows to every logged-in user

	// refusals are requests that a task with all wildcards may not make.
	refusals []refusedRequest
}

// change says how a change is named.
type change struct {
	title            string // in the application's history
	action, resource string // in the record
}

type refusedRequest struct {
	name, method, path string
	form               url.Values
	code               string // of the refusal
}

// scenarios has one scenario for each shared application, by adapter.
var scenarios = map[string]scenario{
	"mediawiki": {
		app:      testenv.MediaWiki,
		allow:    []string{"mediawiki:page.read,page.edit@page/Sandbox*", "mediawiki:api.query"},
		write:    editWikiPage,
		readPath: "/api.php?action=query&meta=userinfo&format=json", readText: `"Agent-`,
		refusals: []refusedRequest{
			{"login page", "GET", "/index.php?title=Special:UserLogin", nil, "login_by_agent"},
			{"login page in another spelling", "GET", "/index.php?title=special:user_login", nil, "login_by_agent"},
			{"login by the API", "POST", "/api.php", url.Values{"action": {"login"}, "lgname": {"x"}, "lgpassword": {"y"}}, "login_by_agent"},
			{"password page", "GET", "/index.php?title=Special:ChangeCredentials", nil, "out_of_scope"},
			{"password form", "POST", "/index.php", url.Values{"title": {"Special:ChangePassword"}, "wpPassword": {"x"}}, "login_by_agent"},
			{"bot passwords", "GET", "/index.php?title=Special:BotPasswords", nil, "out_of_scope"},
			{"logout", "GET", "/index.php?title=Special:UserLogout", nil, "out_of_scope"},
			{"action without a name", "GET", "/index.php?title=Sandbox&action=rollback", nil, "action_unclassified"},
			{"path without a name", "GET", "/mw-config/index.php", nil, "action_unclassified"},
			{"ambiguous path", "GET", "/images/%2e%2e/index.php", nil, "ambiguous_request"},
		},
	},
	"requesttracker": {
		app:      testenv.RequestTracker,
		allow:    []string{"requesttracker:home.read,ticket.read,ticket.create,ticket.comment"},
		write:    createTicket,
		readPath: "/", readText: "Logged in as",
		refusals: []refusedRequest{
			{"login page", "GET", "/NoAuth/Login.html", nil, "login_by_agent"},
			{"login on another page", "POST", "/", url.Values{"user": {"x"}, "pass": {"y"}}, "login_by_agent"},
			{"password page", "GET", "/Prefs/AboutMe.html", nil, "out_of_scope"},
			{"users", "GET", "/Admin/Users/Modify.html?id=1", nil, "out_of_scope"},
			{"logout", "GET", "/NoAuth/Logout.html", nil, "out_of_scope"},
			{"path without a name", "GET", "/Tools/MyDay.html", nil, "action_unclassified"},
			{"request that the application stored", "GET", "/Ticket/Display.html?id=1&CSRF_Token=0123456789abcdef", nil, "action_unclassified"},
		},
	},
	"wordpress": {
		app:      testenv.WordPress,
		allow:    []string{"wordpress:dashboard.read,post.create,post.edit,post.read"},
		write:    publishPost,
		readPath: "/wp-admin/", readText: "Dashboard",
		refusals: []refusedRequest{
			{"login page", "GET", "/wp-login.php", nil, "login_by_agent"},
			{"XML-RPC", "POST", "/xmlrpc.php", url.Values{"x": {"y"}}, "login_by_agent"},
			{"password page", "GET", "/wp-admin/profile.php", nil, "out_of_scope"},
			{"application passwords", "POST", "/wp-json/wp/v2/users/me/application-passwords", url.Values{"name": {"mine"}}, "out_of_scope"},
			{"path without a name", "GET", "/wp-admin/tools.php", nil, "action_unclassified"},
			{"REST API of users on another page", "GET", "/index.php?rest_route=/wp/v2/users", nil, "out_of_scope"},
			{"REST API on another page", "GET", "/index.php?rest_route=/wp/v2/nonsense", nil, "action_unclassified"},
		},
	},
}

// editWikiPage creates a page by MediaWiki's edit form.
func editWikiPage(t testing.TB, agent *testenv.Agent, subject, text string) change {
	t.Helper()

	title := "Sandbox/" + subject
	page := "/index.php?title=" + url.QueryEscape(title)
	form := agent.Get(page+"&action=edit").Want(t, 200, "wpEditToken")
	fields := url.Values{
		"wpTextbox1": {text}, "wpSummary": {text}, "wpSave": {"Save"},
		"wpUltimateParam": {"1"}, "model": {"wikitext"}, "format": {"text/x-wiki"},
	}
	for _, name := range []string{"wpEditToken", "wpStarttime", "wpEdittime", "editRevId", "wpUnicodeCheck"} {
		fields.Set(name, testenv.FormField(form.Body, name))
	}

	agent.Post(page+"&action=submit", fields).Want(t, 302, "")
	agent.Get(page).Want(t, 200, text)
	return change{title, "page.edit", "page/" + title}
}

var ticketLocation = regexp.MustCompile(`Ticket/Display\.html\?id=(\d+)`)

// createTicket creates a ticket by Request Tracker's form and comments on it by
// the REST API.
func createTicket(t testing.TB, agent *testenv.Agent, subject, text string) change {
	t.Helper()

	form := agent.Get("/Ticket/Create.html?Queue=1").Want(t, 200, `name="Subject"`)
	created := agent.Post("/Ticket/Create.html", url.Values{
		"id": {"new"}, "Queue": {"1"}, "Subject": {subject}, "Content": {"made: " + text}, "ContentType": {"text/plain"},
		"Status": {"new"}, "SubmitTicket": {"Create"}, "Token": {testenv.FormField(form.Body, "Token")},
	}).Want(t, 302, "")
	match := ticketLocation.FindStringSubmatch(created.Header.Get("Location"))
	if match == nil {
		t.Fatalf("create a ticket: Location is %q, want the page of a ticket", created.Header.Get("Location"))
	}

	id := match[1]
	agent.SendJSON("POST", "/REST/2.0/ticket/"+id+"/comment", `{"ContentType":"text/plain","Content":"`+text+`"}`).Want(t, 201, "")
	agent.Get("/Ticket/History.html?id="+id).Want(t, 200, text)
	return change{"ticket/" + id, "ticket.comment", "ticket/" + id}
}

// publishPost publishes a post by WordPress's form and edits it by the REST API.
func publishPost(t testing.TB, agent *testenv.Agent, subject, text string) change {
	t.Helper()

	form := agent.Get("/wp-admin/post-new.php").Want(t, 200, "_wpnonce")
	id := testenv.FormField(form.Body, "post_ID")
	agent.Post("/wp-admin/post.php", url.Values{
		"_wpnonce": {testenv.FormField(form.Body, "_wpnonce")}, "action": {"editpost"}, "originalaction": {"editpost"},
		"post_ID": {id}, "post_type": {"post"}, "post_title": {subject}, "content": {text}, "excerpt": {text},
		"post_status": {"publish"}, "publish": {"Publish"}, "user_ID": {testenv.FormField(form.Body, "user_ID")},
	}).Want(t, 302, "")

	_, rest, _ := strings.Cut(form.Body, `createNonceMiddleware( "`)
	nonce, _, _ := strings.Cut(rest, `"`)
	header := agent.Header.Clone()
	header.Set("X-WP-Nonce", nonce)
	agent.WithHeader(header).SendJSON("POST", "/wp-json/wp/v2/posts/"+id, `{"title":"`+subject+`","excerpt":"`+text+`"}`).Want(t, 200, text)
	return change{subject, "post.edit", "post/" + id}
}
