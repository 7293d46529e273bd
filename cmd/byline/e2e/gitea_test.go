package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// Where a Gitea was built, it is one of the applications that all tests of this
// package go through.
func init() {
	if os.Getenv(apps.GiteaVariable) != "" {
		jobs["gitea"], forge["gitea"], logged["gitea"] = giteaJob, giteaForge, giteaDeeds
		inBrowser["gitea"] = giteaInBrowser
	}
}

var giteaJob = job{
	app: testenv.Gitea, allow: []string{"gitea:home.read,issue.read,issue.list,issue.create,issue.comment"}, write: writeIssue,
	read: "/issues", shows: "Agent-",
	refusals: []refusal{
		{"login page", "GET", "/user/login", nil, "login_by_agent"},
		{"login", "POST", "/user/login", url.Values{"user_name": {"x"}, "password": {"y"}}, "login_by_agent"},
		{"second factor", "POST", "/user/two_factor", url.Values{"passcode": {"123456"}}, "login_by_agent"},
		{"forgotten password", "POST", "/user/forgot_password", url.Values{"email": {"alice@acme.test"}}, "login_by_agent"},
		{"password page", "GET", "/user/settings/account", nil, "out_of_scope"},
		{"another password", "POST", "/user/settings/account", url.Values{"password": {"x"}}, "out_of_scope"},
		{"security page", "GET", "/user/settings/security", nil, "out_of_scope"},
		{"a token", "POST", "/user/settings/applications", url.Values{"name": {"mine"}, "scope-user": {"write:user"}}, "out_of_scope"},
		{"a token, by the API", "GET", "/api/v1/users/Agent-01/tokens", nil, "out_of_scope"},
		{"a login in a form for the API", "POST", "/api/v1/repos/acme/app/issues", url.Values{"token": {"x"}}, "login_by_agent"},
		{"an SSH key", "POST", "/user/settings/keys", url.Values{"title": {"mine"}}, "out_of_scope"},
		{"logout", "GET", "/user/logout", nil, "out_of_scope"},
		{"settings of a repository", "GET", "/acme/app/settings/hooks", nil, "out_of_scope"},
		{"administration", "GET", "/-/admin/users", nil, "out_of_scope"},
		{"unnamed path", "GET", "/acme/app/nonsense", nil, "action_unclassified"},
		{"path with two meanings", "GET", "/acme/app/src/%2e%2e/settings", nil, "ambiguous_request"},
	},
}

var giteaForge = struct {
	path string
	form url.Values
}{"/acme/app/issues/1/comments", url.Values{"content": {"lost"}}}

var giteaInBrowser = struct {
	title string
	allow []string
	whole bool
}{"The coffee machine drips", []string{"gitea:home.read,static.read,events.read,issue.read,issue.list,issue.create,repo.read,preview"}, false}

// asABrowser is an agent that sends what browsers do with a form of the same site.
func asABrowser(g *testenv.Agent, site string) *testenv.Agent {
	own := *g
	own.Header = g.Header.Clone()
	own.Header.Set("Sec-Fetch-Site", site)
	own.Header.Set("Sec-Fetch-Mode", "navigate")
	own.Header.Set("Origin", g.BaseURL)
	if site == "cross-site" {
		own.Header.Set("Origin", "https://elsewhere.test")
	}
	return &own
}

var issueNumber = regexp.MustCompile(`/acme/app/issues/(\d+)`)

// writeIssue makes an issue as a browser does, and comments on it as curl does.
func writeIssue(t testing.TB, g *testenv.Agent, subject, text string) (title, action, resource string) {
	t.Helper()
	g.Get("/acme/app/issues/new").Want(t, 200, `name="title"`)
	made := asABrowser(g, "same-origin").Post("/acme/app/issues/new", url.Values{"title": {subject}, "content": {"made: " + text}}).Want(t, 200, "redirect")
	n := issueNumber.FindStringSubmatch(made.Body)
	if n == nil {
		t.Fatalf("no issue in %q", made.Body)
	}
	g.Post("/acme/app/issues/"+n[1]+"/comments", url.Values{"content": {text}}).Want(t, 200, n[0])
	g.Get("/acme/app/issues/"+n[1]).Want(t, 200, text)
	return "acme/app#" + n[1], "issue.comment", "issue/acme/app/" + n[1]
}

var giteaDeeds = deeds{app: testenv.Gitea, each: 60, agent: changeForge, direct: func(t *testing.T, d *direct, n int) {
	d.post(t, "/acme/app/issues/1/comments", url.Values{"content": {fmt.Sprint("planted ", n)}})
}, allow: []string{"gitea:issue.create,issue.comment,issue.close,issue.edit,file.edit"}}

// changeForge makes issues, comments on them and closes them, by pages and by
// the API. One of the agents also commits.
func changeForge(t *testing.T, g *testenv.Agent, who string, n int) (acts int) {
	at := ""
	for i := range n {
		switch i % 5 {
		case 0:
			made := g.SendJSON("POST", "/api/v1/repos/acme/app/issues", fmt.Sprintf(`{"title":"%s %d","body":"made"}`, who, i)).Want(t, 201, "")
			at = issueNumber.FindString(made.Body)
		case 1:
			g.SendJSON("POST", "/api/v1/repos"+at+"/comments", `{"body":"by the API"}`).Want(t, 201, "")
		case 2:
			g.Post(at+"/comments", url.Values{"content": {"by a form | with a bar"}}).Want(t, 200, "redirect")
		case 3:
			if who != "worker0" {
				g.Post(at+"/comments", url.Values{"content": {"again"}}).Want(t, 200, "redirect")
				break
			}
			g.SendJSON("POST", fmt.Sprintf("/api/v1/repos/acme/app/contents/%s-%d.txt", who, i), `{"content":"aGVsbG8=","message":"a file"}`).Want(t, 201, "")
		case 4: // two entries
			g.Post(at+"/comments", url.Values{"content": {"done"}, "status": {"close"}}).Want(t, 200, "redirect")
		}
	}
	return n
}

// TestGiteaKnowsTheAccountWhateverTheAgentSpeaks goes by pages, by the API and
// by a stream, and tries a page of another site.
func TestGiteaKnowsTheAccountWhateverTheAgentSpeaks(t *testing.T) {
	app := testenv.Gitea(t)
	h := testenv.New(t, "")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	task := h.CreateTask(testenv.TaskSpec{Allow: []string{"gitea:*", "gitea:account.read"}})
	agent := h.NewAgent(task, app, testenv.BorrowCookies(t, app))

	asABrowser(agent, "cross-site").Post("/acme/app/issues/1/comments", url.Values{"content": {"forged"}}).Want(t, 403, "cross-origin")
	agent.Get("/api/v1/user").Want(t, 200, `"login":"Agent-01"`)
	agent.Get("/api/v1/repos/acme/app").Want(t, 200, `"private":true`)
	agent.SendJSON("POST", "/api/v1/repos/acme/app/issues/1/comments", `{"body":"by the API"}`).Want(t, 201, `"login":"Agent-01"`)
	agent.SendJSON("PATCH", "/api/v1/repos/acme/app/issues/1", `{"body":"it drips"}`).Want(t, 201, "")
	agent.Get("/acme/app/raw/branch/main/README.md").Want(t, 200, "app")

	// A page that is for everybody says nothing of a session that is gone, but offers to sign in.
	app.KillSessions()
	agent.Get("/explore/repos").Want(t, 200, "<strong>Agent-01</strong>")
	agent.Get("/user/settings").WantRefusal(t, "out_of_scope")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := agent.Open(ctx, "GET", "/user/events", nil)
	if err != nil || stream.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v %+v", err, stream)
	}
	first := make([]byte, 64)
	if n, err := stream.Body.Read(first); err != nil || strings.Contains(string(first[:n]), "close") {
		t.Errorf("the stream begins with %q, %v", first[:n], err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stream.Body)
		ended <- err
	}()
	h.EndTask(task)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the cut stream looks whole to the agent")
		}
	case <-time.After(time.Second):
		t.Error("the stream went on for a second after its task")
	}
	stream.Body.Close()
	for _, c := range app.History() {
		if strings.EqualFold(c.User, "alice") || strings.Contains(c.Comment, "forged") {
			t.Errorf("Gitea says: %+v", c)
		}
	}
	if n := h.CountLogins("gitea"); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

// TestGitAndGiteaUnderTheAccount clones and pushes with alice's password in
// git's configuration and in the address.
func TestGitAndGiteaUnderTheAccount(t *testing.T) {
	app := testenv.Gitea(t)
	h := testenv.New(t, "")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	password := testenv.NewSecret()
	h.AddBorrowed([]*http.Cookie{{Name: "password", Value: password}})
	lent := base64.StdEncoding.EncodeToString([]byte("Alice:" + password))
	h.AddBorrowed([]*http.Cookie{{Name: "password in Basic", Value: lent}})
	git := func(allow, script string) testenv.Result {
		t.Helper()
		return h.RunToEnd(h.RunCommand(testenv.TaskSpec{Allow: []string{allow}}, t.TempDir(), []string{"HOME=" + t.TempDir(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=3",
			"GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic " + lent,
			"GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=Alice", "GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=alice@acme.test", "PASSWORD=" + password}, "sh", "-ec", script))
	}
	branch := "agent-" + strings.ToLower(testenv.NewSecret()[5:13])
	change := `git clone -q "https://Alice:$PASSWORD@gitea.acme.test/acme/app.git" work 2>&1; cd work; git checkout -q -b ` + branch + `
head -c 3000000 /dev/urandom >large; git add large; git commit -q -m large; git push -q origin ` + branch + ` 2>&1; git ls-remote origin`
	if r := git("gitea:repo.read,repo.push@repo/acme/app", change); r.Code != 0 || !strings.Contains(r.Out, "refs/heads/"+branch) {
		t.Fatal(r)
	}
	if r := git("gitea:repo.read", change); r.Code == 0 || !strings.Contains(r.Out, "403") {
		t.Errorf("a push without leave: %s", r)
	}
	pushes := 0
	for _, c := range app.History() {
		if strings.EqualFold(c.User, "alice") {
			t.Errorf("Gitea says that alice did it: %+v", c)
		}
		if c.Kind == "commit_repo" && c.User == "Agent-01" && c.Comment == "refs/heads/"+branch {
			pushes++
		}
	}
	if pushes == 0 {
		t.Errorf("Gitea knows of no push of %s by Agent-01: %+v", branch, app.History())
	}
	stripped := false
	for _, r := range h.Records() {
		for _, s := range r.Stripped {
			stripped = stripped || s.Name == "Authorization"
		}
	}
	if !stripped {
		t.Error("alice's password is not on record as stripped")
	}
	checkRuns(t, h)
}

// TestI5TwoTasksAreTwoAccountsAtGitea has two tasks at work at once; a third
// finds no account.
func TestI5TwoTasksAreTwoAccountsAtGitea(t *testing.T) {
	app := testenv.Gitea(t)
	h := testenv.New(t, "lease: {wait: 1s}")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.AddAccount(app, "Agent-02")
	h.Start()
	spec := testenv.TaskSpec{Allow: []string{"gitea:account.read"}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	users := map[string][]string{}
	tasks := []*testenv.Task{h.CreateTask(spec), h.CreateTask(spec)}
	for _, task := range tasks {
		agent := h.NewAgent(task, app, testenv.BorrowCookies(t, app))
		for range 8 {
			wait.Go(func() {
				for _, name := range []string{"Agent-01", "Agent-02"} {
					if a := agent.Get("/api/v1/user"); strings.Contains(a.Body, `"login":"`+name+`"`) {
						mu.Lock()
						users[task.ID] = append(users[task.ID], name)
						mu.Unlock()
					}
				}
			})
		}
	}
	wait.Wait()
	one, two := slices.Compact(users[tasks[0].ID]), slices.Compact(users[tasks[1].ID])
	if len(one) != 1 || len(two) != 1 || one[0] == two[0] {
		t.Errorf("two tasks are %v and %v", one, two)
	}
	h.NewAgent(h.CreateTask(spec), app, nil).Get("/api/v1/user").WantRefusal(t, "lease_unavailable")
}
