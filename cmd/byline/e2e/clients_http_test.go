package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// httpClient is a program that does not know of Byline. It reads a page of the
// wiki, edits another with a person's cookies, and prints MediaWiki's result
// and the protocol that it used.
type httpClient struct {
	name     string
	packages string // Debian packages that it needs
	command  []string
	protocol string
	optional bool // not installed by install.sh; tested if present
}

// python is Debian's Python, which finds the modules of Debian's packages.
const python = "/usr/bin/python3"

// goClient is built from source by installClients.
const goClient = "./edit"

var httpClients = []httpClient{
	{name: "curl, HTTP/1.1", packages: "curl", command: []string{"sh", "edit_curl.sh"}, protocol: "HTTP/1.1"},
	{name: "curl, HTTP/2", packages: "curl", command: []string{"sh", "edit_curl.sh"}, protocol: "HTTP/2"},
	{name: "wget", packages: "wget", command: []string{"sh", "edit_wget.sh"}, protocol: "HTTP/1.1"},
	{name: "Python's urllib", packages: "python3", command: []string{python, "edit_urllib.py"}, protocol: "HTTP/1.1"},
	{name: "Python's requests", packages: "python3-requests", command: []string{python, "edit_requests.py"}, protocol: "HTTP/1.1"},
	{name: "Python's httpx, HTTP/1.1", packages: "python3-httpx", command: []string{python, "edit_httpx.py"}, protocol: "HTTP/1.1"},
	{name: "Python's httpx, HTTP/2", packages: "python3-httpx python3-h2", command: []string{python, "edit_httpx.py"}, protocol: "HTTP/2"},
	{name: "Node's fetch", packages: "nodejs", command: []string{"node", "edit_fetch.mjs"}, protocol: "HTTP/1.1"},
	{name: "Node's https", packages: "nodejs", command: []string{"node", "edit_https.cjs"}, protocol: "HTTP/1.1"},
	{name: "Go's net/http", command: []string{goClient}, protocol: "HTTP/2"},
	{name: "Java's HttpClient", packages: "a JDK", command: []string{"java", "Edit.java"}, protocol: "HTTP/2", optional: true},
}

// skipIfMissing skips the test if the client is not installed. In CI it fails
// the test unless the client is optional.
func (c httpClient) skipIfMissing(t *testing.T) {
	t.Helper()

	missing := ""
	if _, err := exec.LookPath(c.command[0]); err != nil && c.command[0] != goClient {
		missing = err.Error()
	}
	for _, p := range strings.Fields(c.packages) {
		module, ok := strings.CutPrefix(p, "python3-")
		if !ok || missing != "" {
			continue
		}
		if out, err := exec.Command(python, "-c", "import "+module).CombinedOutput(); err != nil {
			missing = string(out)
		}
	}

	if missing == "" {
		return
	}
	if os.Getenv("CI") == "true" && !c.optional {
		t.Fatalf("install %s with cmd/byline/e2e/install.sh: %s", c.packages, missing)
	}
	t.Skipf("install %s: %s", c.packages, missing)
}

// TestHTTPClientsWorkUnderRun runs each client under byline run with Alice's
// cookies. Only its environment tells it of the proxy.
func TestHTTPClientsWorkUnderRun(t *testing.T) {
	app := testenv.MediaWiki(t)
	env := startEnv(t, app, "", "Agent-01")
	cookie := env.AddBorrowed(testenv.BorrowCookies(t, app))
	dir := installClients(t)
	spec := testenv.TaskSpec{Allow: []string{"mediawiki:page.read", "mediawiki:page.edit@page/Sandbox*", "mediawiki:api.query"}}

	for _, c := range httpClients {
		t.Run(c.name, func(t *testing.T) {
			c.skipIfMissing(t)
			name := strings.NewReplacer(" ", "-", "/", "-", ",", "", "'", "").Replace(c.name)
			title, text := "Sandbox/"+name, "by-"+name
			variables := []string{"BASE=" + app.PublicURL, "TITLE=" + title, "TEXT=" + text, "PROTOCOL=" + c.protocol, "COOKIE=" + cookie}

			began := time.Now()
			r := env.RunToEnd(env.RunCommand(spec, dir, variables, c.command...))
			words := strings.Fields(r.Out)
			if r.Code != 0 || len(words) < 2 || words[0] != "Success" || !strings.HasPrefix(words[1], c.protocol) {
				t.Fatalf("want exit 0 and output \"Success %s\", got %s", c.protocol, r)
			}

			checkHistory(t, app, began, title, text, "Agent-01")
			if r := lastRecord(t, env, "intent", "page.edit", "page/"+title); len(r.Stripped) == 0 {
				t.Errorf("the intent does not record that Alice's cookies were stripped: %+v", r)
			}
		})
	}
	checkTasksEnded(t, env)
	checkLoggedOut(t, env)
}

// installClients copies the clients to a folder and builds the one in Go.
func installClients(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("clients")); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(dir, "edit.go")
	if err := os.Rename(filepath.Join(dir, "edit_nethttp.go.txt"), source); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, goClient), source).CombinedOutput(); err != nil {
		t.Fatalf("build the client in Go: %v\n%s", err, out)
	}
	return dir
}

// checkTasksEnded checks that every task has ended.
func checkTasksEnded(t *testing.T, env *testenv.Env) {
	t.Helper()
	var tasks []testenv.Task
	env.BylineJSON(&tasks, "task", "list")
	for _, task := range tasks {
		if task.State != "ended" {
			t.Errorf("task %s is %s after the end of its program, want ended", task.ID, task.State)
		}
	}
}

// checkLoggedOut checks that the record has a logout for every login.
func checkLoggedOut(t *testing.T, env *testenv.Env) {
	t.Helper()
	logins, logouts := 0, 0
	for _, r := range env.Records() {
		switch r.Kind {
		case "login":
			logins++
		case "logout":
			logouts++
		}
	}
	if logins == 0 || logins != logouts {
		t.Errorf("%d logins and %d logouts are on record, want as many logouts as logins", logins, logouts)
	}
}
