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

// GiteaVariable names the gitea program. It takes a quarter of an hour to build,
// so tests with it are run on demand.
const GiteaVariable = "BYLINE_GITEA"

// GiteaRepository is private and has one issue; everybody may write to it.
const GiteaRepository = "acme/app"

type gitea struct {
	p       *place
	program string
	at      string
	admin   Login

	mu    sync.Mutex
	users []string
}

// StartGitea starts the Gitea that BYLINE_GITEA names, which stands in the
// folder that it was built in, with an SQLite database of its own.
func StartGitea(t testing.TB, public string) *App {
	t.Helper()
	program := os.Getenv(GiteaVariable)
	if program == "" {
		t.Skip(GiteaVariable + " names no gitea program: CONTRIBUTING.md says how one is built")
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s: %v", GiteaVariable, err)
	}
	p := newPlace(t, "gitea", "www-data")
	port := freePort(t)
	g := &gitea{p: p, program: program, at: "http://127.0.0.1:" + port, admin: Login{"root", "Adm1n-of-the-forge"}}
	config := strings.NewReplacer("{dir}", p.dir, "{public}", strings.TrimSuffix(public, "/"), "{port}", port, "{built}", filepath.Dir(program)).Replace(giteaConfig)
	if err := p.write("app.ini", config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.own(); err != nil {
		t.Fatal(err)
	}
	p.start(t, listening("tcp", "127.0.0.1:"+port), program, "--config", p.path("app.ini"), "--work-path", p.dir, "web")
	if err := g.found(); err != nil {
		t.Fatal(err)
	}
	return newApp(t, "gitea", public, g.at, g.admin, g)
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

// found makes the administrator and the repository.
func (g *gitea) found() error {
	if err := g.create(g.admin, "--admin"); err != nil {
		return err
	}
	owner, name, _ := strings.Cut(GiteaRepository, "/")
	for _, c := range []struct{ path, body string }{
		{"/orgs", fmt.Sprintf(`{"username":%q}`, owner)},
		{"/orgs/" + owner + "/repos", fmt.Sprintf(`{"name":%q,"private":true,"auto_init":true,"default_branch":"main"}`, name)},
		{"/repos/" + GiteaRepository + "/issues", `{"title":"Coffee machine","body":"it drips"}`},
	} {
		if err := g.api("POST", c.path, c.body, nil); err != nil {
			return err
		}
	}
	return nil
}

func (g *gitea) create(l Login, more ...string) error {
	_, err := g.p.run("", g.program, append([]string{"--config", g.p.path("app.ini"), "--work-path", g.p.dir, "admin", "user", "create",
		"--username", l.User, "--password", l.Password, "--email", strings.ToLower(l.User) + "@acme.test", "--must-change-password=false"}, more...)...)
	return err
}

func (g *gitea) addUser(name, password string) error {
	if err := g.create(Login{name, password}); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users = append(g.users, name)
	return g.api("PUT", "/repos/"+GiteaRepository+"/collaborators/"+name, `{"permission":"write"}`, nil)
}

// api asks as the administrator.
func (g *gitea) api(method, path, body string, into any) error {
	q, err := http.NewRequest(method, g.at+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	q.SetBasicAuth(g.admin.User, g.admin.Password)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		return err
	}
	if a.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %.300s", method, path, a.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(into)
}

func (g *gitea) login(j *jar, l Login) error {
	if _, _, err := j.get("/user/login"); err != nil {
		return err
	}
	status, _, err := j.post("/user/login", url.Values{"user_name": {l.User}, "password": {l.Password}})
	if err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

// history is the activity feed of each user who was added. A title is
// owner/repository#issue, or owner/repository for what is about none.
func (g *gitea) history() (all []Change, err error) {
	g.mu.Lock()
	users := slices.Clone(g.users)
	g.mu.Unlock()
	for _, user := range users {
		for page := 1; ; page++ {
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
			if err := g.api("GET", path, "", &feed); err != nil {
				return nil, err
			}
			for _, e := range feed {
				c := Change{User: e.ActUser.Login, Time: e.Created, Title: e.Repo.FullName, Kind: e.OpType, Comment: e.RefName}
				if n, text, ok := strings.Cut(e.Content, "|"); ok && e.RefName == "" {
					c.Title, c.Comment = c.Title+"#"+n, text
				}
				all = append(all, c)
			}
			if len(feed) == 0 {
				break
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return all, nil
}

func (g *gitea) killSessions() error {
	return filepath.WalkDir(g.p.path("sessions"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			err = os.Remove(path)
		}
		return err
	})
}
