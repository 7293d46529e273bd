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

// If a Gitea was built, every test of this package that goes through all
// applications includes it.
func init() {
	if os.Getenv(apps.GiteaVariable) == "" {
		return
	}
	scenarios["gitea"] = giteaScenario
	staleForms["gitea"] = staleForm{"/acme/app/issues/1/comments", url.Values{"content": {"lost"}}}
	reconcileScenarios["gitea"] = giteaReconcileScenario
	browserScenarios["gitea"] = browserScenario{
		title: "The coffee machine drips",
		allow: []string{"gitea:home.read,static.read,events.read,issue.read,issue.list,issue.create,repo.read,preview"},
	}
}

var giteaScenario = scenario{
	app:      testenv.Gitea,
	allow:    []string{"gitea:home.read,issue.read,issue.list,issue.create,issue.comment"},
	write:    createIssue,
	readPath: "/issues", readText: "Agent-",
	refusals: []refusedRequest{
		{"login page", "GET", "/user/login", nil, "login_by_agent"},
		{"login form", "POST", "/user/login", url.Values{"user_name": {"x"}, "password": {"y"}}, "login_by_agent"},
		{"second factor", "POST", "/user/two_factor", url.Values{"passcode": {"123456"}}, "login_by_agent"},
		{"forgotten password", "POST", "/user/forgot_password", url.Values{"email": {"alice@acme.test"}}, "login_by_agent"},
		{"password page", "GET", "/user/settings/account", nil, "out_of_scope"},
		{"new password", "POST", "/user/settings/account", url.Values{"password": {"x"}}, "login_by_agent"},
		{"security page", "GET", "/user/settings/security", nil, "out_of_scope"},
		{"new token", "POST", "/user/settings/applications", url.Values{"name": {"mine"}, "scope-user": {"write:user"}}, "out_of_scope"},
		{"new token by the API", "GET", "/api/v1/users/Agent-01/tokens", nil, "out_of_scope"},
		{"login form posted to the API", "POST", "/api/v1/repos/acme/app/issues", url.Values{"token": {"x"}}, "login_by_agent"},
		{"new SSH key", "POST", "/user/settings/keys", url.Values{"title": {"mine"}}, "out_of_scope"},
		{"logout", "GET", "/user/logout", nil, "out_of_scope"},
		{"settings of a repository", "GET", "/acme/app/settings/hooks", nil, "out_of_scope"},
		{"administration", "GET", "/-/admin/users", nil, "out_of_scope"},
		{"path without a name", "GET", "/acme/app/nonsense", nil, "action_unclassified"},
		{"ambiguous path", "GET", "/acme/app/src/%2e%2e/settings", nil, "ambiguous_request"},
	},
}

// withBrowserFields returns an agent that sends the fields that a browser adds
// to a form. site is the value of Sec-Fetch-Site.
func withBrowserFields(agent *testenv.Agent, site string) *testenv.Agent {
	origin := agent.BaseURL
	if site == "cross-site" {
		origin = "https://elsewhere.test"
	}
	header := agent.Header.Clone()
	header.Set("Sec-Fetch-Site", site)
	header.Set("Sec-Fetch-Mode", "navigate")
	header.Set("Origin", origin)
	return agent.WithHeader(header)
}

var issuePath = regexp.MustCompile(`/acme/app/issues/(\d+)`)

// createIssue creates an issue as a browser does and comments on it as curl
// does.
func createIssue(t testing.TB, agent *testenv.Agent, subject, text string) change {
	t.Helper()

	agent.Get("/acme/app/issues/new").Want(t, 200, `name="title"`)
	form := url.Values{"title": {subject}, "content": {"made: " + text}}
	created := withBrowserFields(agent, "same-origin").Post("/acme/app/issues/new", form).Want(t, 200, "redirect")
	match := issuePath.FindStringSubmatch(created.Body)
	if match == nil {
		t.Fatalf("create an issue: no path of an issue in %q", created.Body)
	}

	path, id := match[0], match[1]
	agent.Post(path+"/comments", url.Values{"content": {text}}).Want(t, 200, path)
	agent.Get(path).Want(t, 200, text)
	return change{"acme/app#" + id, "issue.comment", "issue/acme/app/" + id}
}

var giteaReconcileScenario = reconcileScenario{
	app:      testenv.Gitea,
	allow:    []string{"gitea:issue.create,issue.comment,issue.close,issue.edit,file.edit"},
	perAgent: 60,
	change:   changeGitea,
	settle:   waitUntilFeedIsQuiet,
	changeDirectly: func(t *testing.T, d *directClient, n int) {
		d.post(t, "/acme/app/issues/1/comments", url.Values{"content": {fmt.Sprint("planted ", n)}})
	},
}

// waitUntilFeedIsQuiet waits until nothing is added to the history for a while: Gitea
// answers a commit before a queue of its own writes the entry.
func waitUntilFeedIsQuiet(t *testing.T, app *apps.App) {
	t.Helper()
	entries, since := -1, time.Now()
	testenv.WaitUntil(t, "the queue of pushes is empty", func() bool {
		if n := len(app.History()); n != entries {
			entries, since = n, time.Now()
		}
		return time.Since(since) > 2*time.Second
	})
}

// changeGitea creates issues, comments on them and closes them, by pages and by
// the API. The agent worker0 also commits files.
func changeGitea(t *testing.T, agent *testenv.Agent, name string, n int) {
	issue := "" // path of the issue created last
	for i := range n {
		switch i % 5 {
		case 0:
			body := fmt.Sprintf(`{"title":"%s %d","body":"made"}`, name, i)
			created := agent.SendJSON("POST", "/api/v1/repos/acme/app/issues", body).Want(t, 201, "")
			issue = issuePath.FindString(created.Body)
		case 1:
			agent.SendJSON("POST", "/api/v1/repos"+issue+"/comments", `{"body":"by the API"}`).Want(t, 201, "")
		case 2:
			agent.Post(issue+"/comments", url.Values{"content": {"by a form | with a bar"}}).Want(t, 200, "redirect")
		case 3:
			if name == "worker0" {
				path := fmt.Sprintf("/api/v1/repos/acme/app/contents/%s-%d.txt", name, i)
				agent.SendJSON("POST", path, `{"content":"aGVsbG8=","message":"a file"}`).Want(t, 201, "")
			} else {
				agent.Post(issue+"/comments", url.Values{"content": {"again"}}).Want(t, 200, "redirect")
			}
		case 4: // one request with two entries in the history
			agent.Post(issue+"/comments", url.Values{"content": {"done"}, "status": {"close"}}).Want(t, 200, "redirect")
		}
	}
}

// TestGiteaSeesAccountByPagesAPIAndEvents uses pages, the API and the event
// stream. A form from another site is rejected.
func TestGiteaSeesAccountByPagesAPIAndEvents(t *testing.T) {
	app := testenv.Gitea(t)
	env := startEnv(t, app, "", "Agent-01")
	task := env.CreateTask(testenv.TaskSpec{Allow: []string{"gitea:*", "gitea:account.read"}})
	agent := env.NewAgent(task, app, testenv.BorrowCookies(t, app))

	forged := url.Values{"content": {"forged"}}
	withBrowserFields(agent, "cross-site").Post("/acme/app/issues/1/comments", forged).Want(t, 403, "cross-origin")
	agent.Get("/api/v1/user").Want(t, 200, `"login":"Agent-01"`)
	agent.Get("/api/v1/repos/acme/app").Want(t, 200, `"private":true`)
	agent.SendJSON("POST", "/api/v1/repos/acme/app/issues/1/comments", `{"body":"by the API"}`).Want(t, 201, `"login":"Agent-01"`)
	agent.SendJSON("PATCH", "/api/v1/repos/acme/app/issues/1", `{"body":"it drips"}`).Want(t, 201, "")
	agent.Get("/acme/app/raw/branch/main/README.md").Want(t, 200, "app")

	// A public page does not refuse an ended session; it offers to sign in.
	app.KillSessions()
	agent.Get("/explore/repos").Want(t, 200, "<strong>Agent-01</strong>")
	agent.Get("/user/settings").WantRefusal(t, "out_of_scope")

	checkEventsEndWithTask(t, env, agent, task)
	for _, c := range app.History() {
		if strings.EqualFold(c.User, "alice") || strings.Contains(c.Comment, "forged") {
			t.Errorf("the history has a change by Alice or a forged one: %+v", c)
		}
	}
	if n := env.CountLogins("gitea"); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

// checkEventsEndWithTask opens the event stream and ends the task. The stream
// breaks off within one second.
func checkEventsEndWithTask(t *testing.T, env *testenv.Env, agent *testenv.Agent, task *testenv.Task) {
	t.Helper()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := agent.Open(ctx, "GET", "/user/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if got := stream.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("GET /user/events: %s with Content-Type %q, want text/event-stream", stream.Status, got)
	}
	first := make([]byte, 64)
	if n, err := stream.Body.Read(first); err != nil || strings.Contains(string(first[:n]), "close") {
		t.Errorf("the stream begins with %q, error %v; want an event other than close", first[:n], err)
	}

	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stream.Body)
		ended <- err
	}()
	env.EndTask(task)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("I6: the stream looks complete to the agent, want an error")
		}
	case <-time.After(time.Second):
		t.Error("I6: the stream went on for a second after the end of its task")
	}
}

// TestGitPushesToGiteaAsAccount clones and pushes with Alice's password in
// git's configuration and in the URL.
func TestGitPushesToGiteaAsAccount(t *testing.T) {
	app := testenv.Gitea(t)
	env := startEnv(t, app, "", "Agent-01")
	password := testenv.NewSecret()
	basic := base64.StdEncoding.EncodeToString([]byte("Alice:" + password))
	env.AddBorrowed([]*http.Cookie{{Name: "password", Value: password}, {Name: "password in Basic", Value: basic}})

	branch := "agent-" + strings.ToLower(testenv.NewSecret()[5:13])
	cloneAndPush := `git clone -q "https://Alice:$PASSWORD@gitea.acme.test/acme/app.git" work 2>&1; cd work; git checkout -q -b ` + branch + `
head -c 3000000 /dev/urandom >large; git add large; git commit -q -m large; git push -q origin ` + branch + ` 2>&1; git ls-remote origin`
	runGit := func(allow string) testenv.Result {
		t.Helper()
		variables := append(gitVariables(t, basic), "PASSWORD="+password)
		spec := testenv.TaskSpec{Allow: []string{allow}}
		return env.RunToEnd(env.RunCommand(spec, t.TempDir(), variables, "sh", "-ec", cloneAndPush))
	}

	if r := runGit("gitea:repo.read,repo.push@repo/acme/app"); r.Code != 0 || !strings.Contains(r.Out, "refs/heads/"+branch) {
		t.Fatalf("clone and push: want exit 0 and refs/heads/%s, got %s", branch, r)
	}
	if r := runGit("gitea:repo.read"); r.Code == 0 || !strings.Contains(r.Out, "403") {
		t.Errorf("push without permission: want a failure with 403, got %s", r)
	}

	isPush := func(c apps.Change) bool {
		return c.Kind == "commit_repo" && c.User == "Agent-01" && c.Comment == "refs/heads/"+branch
	}
	history := app.History()
	for deadline := time.Now().Add(30 * time.Second); !slices.ContainsFunc(history, isPush); history = app.History() {
		if time.Now().After(deadline) { // Gitea writes a push into its history after it has answered
			t.Fatalf("the history has no push of %s by Agent-01: %+v", branch, history)
		}
		time.Sleep(200 * time.Millisecond)
	}
	for _, c := range history {
		if strings.EqualFold(c.User, "alice") {
			t.Errorf("the history attributes a change to Alice: %+v", c)
		}
	}

	stripped := false
	for _, r := range env.Records() {
		for _, s := range r.Stripped {
			if s.Name == "Authorization" {
				stripped = true
			}
		}
	}
	if !stripped {
		t.Error("I2: no record says that Alice's password was stripped")
	}
	checkTasksEnded(t, env)
}

// TestI5TwoTasksUseTwoAccountsAtGitea runs two tasks at once. A third finds no
// account.
func TestI5TwoTasksUseTwoAccountsAtGitea(t *testing.T) {
	app := testenv.Gitea(t)
	env := startEnv(t, app, "lease: {wait: 1s}", "Agent-01", "Agent-02")
	spec := testenv.TaskSpec{Allow: []string{"gitea:account.read"}}
	tasks := []*testenv.Task{env.CreateTask(spec), env.CreateTask(spec)}

	var mu sync.Mutex
	users := map[string][]string{} // by task
	var requests sync.WaitGroup
	for _, task := range tasks {
		agent := env.NewAgent(task, app, testenv.BorrowCookies(t, app))
		for range 8 {
			requests.Go(func() {
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
	requests.Wait()

	first, second := slices.Compact(users[tasks[0].ID]), slices.Compact(users[tasks[1].ID])
	if len(first) != 1 || len(second) != 1 || first[0] == second[0] {
		t.Errorf("I5: two tasks are the users %v and %v, want one each, and different ones", first, second)
	}
	env.NewAgent(env.CreateTask(spec), app, nil).Get("/api/v1/user").WantRefusal(t, "lease_unavailable")
}
