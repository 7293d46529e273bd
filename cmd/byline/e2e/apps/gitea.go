package apps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// GiteaVariable is the environment variable that names the gitea program.
// Building Gitea takes a quarter of an hour, so tests that need it run on demand.
const GiteaVariable = "BYLINE_GITEA"

// GiteaRepository is a private repository with one issue. Every user that
// AddUser creates may write to it.
const GiteaRepository = "acme/app"

type gitea struct {
	workspace *workspace
	program   string
	baseURL   string
	admin     Login

	mu    sync.Mutex
	users []string // created by addUser
}

// StartGitea starts the program that BYLINE_GITEA names, with an SQLite
// database. The program must be in the folder that it was built in, which has
// its static files. Without BYLINE_GITEA the test is skipped.
func StartGitea(t testing.TB, publicURL string) *App {
	t.Helper()

	program := os.Getenv(GiteaVariable)
	if program == "" {
		t.Skip(GiteaVariable + " does not name a gitea program: see CONTRIBUTING.md for how to build one")
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s: %v", GiteaVariable, err)
	}

	w := newWorkspace(t, "gitea", "www-data")
	port := freePort(t)
	config := strings.NewReplacer("{dir}", w.dir, "{public}", strings.TrimSuffix(publicURL, "/"), "{port}", port,
		"{built}", filepath.Dir(program)).Replace(giteaConfig)
	if err := w.writeFile("app.ini", config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.chownAll(); err != nil {
		t.Fatal(err)
	}

	g := &gitea{workspace: w, program: program, baseURL: "http://127.0.0.1:" + port, admin: Login{"root", "Adm1n-of-the-forge"}}
	w.start(t, acceptsConnections("tcp", "127.0.0.1:"+port), program, "--config", w.path("app.ini"), "--work-path", w.dir, "web")
	if err := g.createContent(); err != nil {
		t.Fatal(err)
	}
	return newApp(t, "gitea", publicURL, g.baseURL, g.admin, g)
}

const giteaConfig = `APP_NAME = Forge
RUN_MODE = prod
WORK_PATH = {dir}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {public}/
STATIC_ROOT_PATH = {built}
APP_DATA_PATH = {dir}/data
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {dir}/repositories
[session]
PROVIDER = file
PROVIDER_CONFIG = {dir}/sessions
[security]
INSTALL_LOCK = true
SECRET_KEY = for-tests-only
INTERNAL_TOKEN = for-tests-only-and-long-enough-to-be-one
[service]
DISABLE_REGISTRATION = true
[indexer]
ISSUE_INDEXER_TYPE = db
[log]
MODE = console
LEVEL = Warn
[cron]
ENABLED = false
[oauth2]
ENABLED = false
`

// createContent creates the administrator, the repository and its issue.
func (g *gitea) createContent() error {
	if err := g.createUser(g.admin, "--admin"); err != nil {
		return err
	}

	owner, name, _ := strings.Cut(GiteaRepository, "/")
	for _, c := range []struct{ path, body string }{
		{"/orgs", fmt.Sprintf(`{"username":%q}`, owner)},
		{"/orgs/" + owner + "/repos", fmt.Sprintf(`{"name":%q,"private":true,"auto_init":true,"default_branch":"main"}`, name)},
		{"/repos/" + GiteaRepository + "/issues", `{"title":"Coffee machine","body":"it drips"}`},
	} {
		if err := g.callAPI("POST", c.path, c.body, nil); err != nil {
			return err
		}
	}
	return nil
}

func (g *gitea) createUser(l Login, flags ...string) error {
	args := []string{
		"--config", g.workspace.path("app.ini"), "--work-path", g.workspace.dir, "admin", "user", "create",
		"--username", l.User, "--password", l.Password, "--email", strings.ToLower(l.User) + "@acme.test", "--must-change-password=false",
	}
	_, err := g.workspace.run("", g.program, append(args, flags...)...)
	return err
}

func (g *gitea) addUser(name, password string) error {
	if err := g.createUser(Login{name, password}); err != nil {
		return err
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.users = append(g.users, name)
	return g.callAPI("PUT", "/repos/"+GiteaRepository+"/collaborators/"+name, `{"permission":"write"}`, nil)
}

// callAPI calls the API as the administrator and decodes the answer into
// result unless that is nil.
func (g *gitea) callAPI(method, path, body string, result any) error {
	req, err := http.NewRequest(method, g.baseURL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(g.admin.User, g.admin.Password)
	req.Header.Set("Content-Type", "application/json")

	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}

	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %.300s", method, path, resp.Status, text)
	}
	if result == nil {
		return nil
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(result)
}

func (g *gitea) login(b *browser, l Login) error {
	if _, _, err := b.get("/user/login"); err != nil {
		return err
	}
	status, _, err := b.post("/user/login", url.Values{"user_name": {l.User}, "password": {l.Password}})
	if err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

// history returns the activity feed of every user that addUser created. A title
// is owner/repository#issue, or owner/repository if the entry has no issue.
func (g *gitea) history() ([]Change, error) {
	g.mu.Lock()
	users := slices.Clone(g.users)
	g.mu.Unlock()

	var changes []Change
	for _, user := range users {
		for page := 1; ; page++ {
			entries, err := g.readFeed(user, page)
			if err != nil {
				return nil, err
			}
			if len(entries) == 0 {
				break
			}
			changes = append(changes, entries...)
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return changes, nil
}

// readFeed reads one page of a user's activity feed.
func (g *gitea) readFeed(user string, page int) ([]Change, error) {
	var feed []struct {
		OpType  string                 `json:"op_type"`
		ActUser struct{ Login string } `json:"act_user"`
		Repo    struct {
			FullName string `json:"full_name"`
		}
		Content string
		RefName string `json:"ref_name"`
		Created time.Time
	}
	path := fmt.Sprintf("/users/%s/activities/feeds?only-performed-by=true&limit=50&page=%d", user, page)
	if err := g.callAPI("GET", path, "", &feed); err != nil {
		return nil, err
	}

	var changes []Change
	for _, e := range feed {
		c := Change{User: e.ActUser.Login, Time: e.Created, Title: e.Repo.FullName, Kind: e.OpType, Comment: e.RefName}
		if issue, text, ok := strings.Cut(e.Content, "|"); ok && e.RefName == "" {
			c.Title += "#" + issue
			c.Comment = text
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func (g *gitea) killSessions() error {
	return filepath.WalkDir(g.workspace.path("sessions"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			err = os.Remove(path)
		}
		return err
	})
}
