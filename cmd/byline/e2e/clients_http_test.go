package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// client is a program that knows nothing of Byline: it reads a page of the
// wiki and edits one with a person's cookies, and prints what the wiki said and
// the protocol it spoke.
type client struct {
	name     string
	needs    string // Debian packages
	command  []string
	protocol string
	optional bool // not installed by install.sh: used where it is there
}

const python = "/usr/bin/python3" // Debian's, which has Debian's modules

var clients = []client{
	{name: "curl, HTTP/1.1", needs: "curl", command: []string{"sh", "edit_curl.sh"}, protocol: "HTTP/1.1"},
	{name: "curl, HTTP/2", needs: "curl", command: []string{"sh", "edit_curl.sh"}, protocol: "HTTP/2"},
	{name: "wget", needs: "wget", command: []string{"sh", "edit_wget.sh"}, protocol: "HTTP/1.1"},
	{name: "Python's urllib", needs: "python3", command: []string{python, "edit_urllib.py"}, protocol: "HTTP/1.1"},
	{name: "Python's requests", needs: "python3-requests", command: []string{python, "edit_requests.py"}, protocol: "HTTP/1.1"},
	{name: "Python's httpx, HTTP/1.1", needs: "python3-httpx", command: []string{python, "edit_httpx.py"}, protocol: "HTTP/1.1"},
	{name: "Python's httpx, HTTP/2", needs: "python3-httpx python3-h2", command: []string{python, "edit_httpx.py"}, protocol: "HTTP/2"},
	{name: "Node's fetch", needs: "nodejs", command: []string{"node", "edit_fetch.mjs"}, protocol: "HTTP/1.1"},
	{name: "Node's https", needs: "nodejs", command: []string{"node", "edit_https.cjs"}, protocol: "HTTP/1.1"},
	{name: "Go's net/http", command: []string{"./edit"}, protocol: "HTTP/2"},
	{name: "Java's HttpClient", needs: "a JDK", command: []string{"java", "Edit.java"}, protocol: "HTTP/2", optional: true},
}

// need skips the test, or fails it in CI, unless the client can run here.
func (c client) need(t *testing.T) {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath(c.command[0]); err != nil && c.command[0] != "./edit" {
		missing = err.Error()
	}
	for _, p := range strings.Fields(c.needs) {
		if module, ok := strings.CutPrefix(p, "python3-"); ok && missing == "" {
			if out, err := exec.Command(python, "-c", "import "+module).CombinedOutput(); err != nil {
				missing = string(out)
			}
		}
	}
	if missing == "" {
		return
	}
	if os.Getenv("CI") == "true" && !c.optional {
		t.Fatalf("install %s with cmd/byline/e2e/install.sh: %s", c.needs, missing)
	}
	t.Skipf("install %s: %s", c.needs, missing)
}

// TestClientsThatPeopleUseWorkUnderByline puts each of them into byline run,
// with alice's cookies. None is told of a proxy in any way but its environment.
func TestClientsThatPeopleUseWorkUnderByline(t *testing.T) {
	app := testenv.MediaWiki(t)
	h := testenv.New(t, "")
	h.AddAdapter(app, "")
	h.AddAccount(app, "Agent-01")
	h.Start()
	lent := h.AddBorrowed(testenv.BorrowCookies(t, app))
	dir := programs(t)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			began := time.Now()
			title := "Sandbox/" + strings.NewReplacer(" ", "-", "/", "-", ",", "", "'", "").Replace(c.name)
			r := h.RunToEnd(h.RunCommand(testenv.TaskSpec{Allow: []string{"mediawiki:page.read", "mediawiki:page.edit@page/Sandbox*", "mediawiki:api.query"}}, dir,
				[]string{"BASE=" + app.PublicURL, "TITLE=" + title, "TEXT=by-" + title[8:], "PROTOCOL=" + c.protocol, "COOKIE=" + lent}, c.command...))
			said := strings.Fields(r.Out)
			if r.Code != 0 || len(said) < 2 || said[0] != "Success" || !strings.HasPrefix(said[1], c.protocol) {
				t.Fatalf("%s says %s", c.name, r)
			}
			checkHistory(t, app, began, title, "by-"+title[8:], "Agent-01")
			if r := recordOf(t, h, "intent", "page.edit", "page/"+title); len(r.Stripped) == 0 {
				t.Errorf("alice's cookies are not on record as stripped: %+v", r)
			}
		})
	}
	checkEnded(t, h, app)
}

// programs is a folder with what the clients run.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("clients")); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(dir, "edit.go")
	if err := os.Rename(filepath.Join(dir, "edit_nethttp.go.txt"), source); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "edit"), source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// checkEnded wants every task of the house to be over, and every session that
// it had at the application.
func checkEnded(t *testing.T, h *testenv.Env, app *apps.App) {
	t.Helper()
	checkRuns(t, h)
	logins, logouts := 0, 0
	for _, r := range h.Records() {
		switch r.Kind {
		case "login":
			logins++
		case "logout":
			logouts++
		}
	}
	if logins == 0 || logins != logouts {
		t.Errorf("%d logins and %d logouts are on record", logins, logouts)
	}
}
