package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

const gitBackend = "/usr/lib/git-core/git-http-backend"

// gitHost serves bare repositories over HTTP to who has a password, as git's own
// CGI program does, and keeps a log of pushes in the words of a hook.
type gitHost struct {
	*httptest.Server
	dir       string
	passwords map[string]string

	mu   sync.Mutex
	seen []string // "user METHOD path" of each request with a good password
	bad  []string // and of those without
}

const gitAdapter = `name: git
interim: {reason: "no deploy keys", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [git.acme.test]
upstream: {url: "%s"}
login: {kind: basic, ended: [{status: 401}]}
actions:
  - {name: repo.read, match: {method: GET, path: "/{repo}/info/refs", query: {service: git-upload-pack}}, resource: "repo/{repo}"}
  - {name: repo.read, match: {method: POST, path: "/{repo}/git-upload-pack"}, resource: "repo/{repo}"}
  - {name: repo.write, match: {method: GET, path: "/{repo}/info/refs", query: {service: git-receive-pack}}, resource: "repo/{repo}"}
  - {name: repo.write, match: {method: POST, path: "/{repo}/git-receive-pack"}, resource: "repo/{repo}"}
`

func newGitHost(t *testing.T, passwords map[string]string) *gitHost {
	t.Helper()
	if _, err := os.Stat(gitBackend); err != nil {
		t.Skipf("git is missing: run cmd/byline/e2e/install.sh: %v", err)
	}
	f := &gitHost{dir: t.TempDir(), passwords: passwords}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "-b", "main", "notes.git"},
		{"-C", "notes.git", "config", "http.receivepack", "true"},
	} {
		c := exec.Command("git", args...)
		c.Dir = f.dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	hook := fmt.Sprintf("#!/bin/sh\nwhile read -r old new ref; do echo \"$REMOTE_USER pushed $ref\" >>%s; done\n", f.history())
	if err := os.WriteFile(filepath.Join(f.dir, "notes.git", "hooks", "post-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *gitHost) history() string { return filepath.Join(f.dir, "pushes") }

func (f *gitHost) serve(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	good := f.passwords[user] != "" && f.passwords[user] == password
	line := user + " " + r.Method + " " + r.URL.Path
	f.mu.Lock()
	if good {
		f.seen = append(f.seen, line)
	} else {
		f.bad = append(f.bad, line)
	}
	f.mu.Unlock()
	if !good {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body) // CGI wants to know the length
	if err != nil {
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	(&cgi.Handler{Path: gitBackend, Env: []string{"GIT_PROJECT_ROOT=" + f.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + user}}).ServeHTTP(w, r)
}

// pushes is the host's own log.
func (f *gitHost) pushes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(f.history())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// TestGitPushesUnderTheAccount clones and pushes over HTTP with alice's
// password in git's configuration. The pushed file is larger than what git
// sends in one piece.
func TestGitPushesUnderTheAccount(t *testing.T) {
	passwords := map[string]string{"alice": testenv.NewSecret(), "agent-01": testenv.NewSecret()}
	f := newGitHost(t, passwords)
	h := testenv.New(t, "")
	h.WriteFile("adapters.d/git.yaml", fmt.Sprintf(gitAdapter, f.URL))
	h.PutAccount("git", "agent-01", map[string]string{"username": "agent-01", "password": passwords["agent-01"]})
	h.Start()
	lent := base64.StdEncoding.EncodeToString([]byte("alice:" + passwords["alice"]))
	git := func(allow string, script string) testenv.Result {
		t.Helper()
		return h.RunToEnd(h.RunCommand(testenv.TaskSpec{Allow: []string{allow}}, t.TempDir(), []string{"HOME=" + t.TempDir(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=3",
			"GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic " + lent,
			"GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=Alice", "GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=alice@acme.test"}, "sh", "-ec", script))
	}
	const change = `git clone -q https://git.acme.test/notes.git work 2>&1; cd work; git checkout -q -B main
head -c 3000000 /dev/urandom >large; git add large; git commit -q -m large; git push -q origin main 2>&1; git ls-remote origin`
	if r := git("git:repo.*@repo/notes.git", change); r.Code != 0 || !strings.Contains(r.Out, "refs/heads/main") {
		t.Fatal(r)
	}
	if pushes := f.pushes(t); pushes != "agent-01 pushed refs/heads/main\n" {
		t.Errorf("the host's log says %q", pushes)
	}
	if r := git("git:repo.read", change); r.Code == 0 || !strings.Contains(r.Out, "403") {
		t.Errorf("a push without leave: %s", r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.bad) > 0 || slices.ContainsFunc(f.seen, func(s string) bool { return !strings.HasPrefix(s, "agent-01 ") }) {
		t.Errorf("I2: the host saw others than agent-01: %q %q", f.bad, f.seen)
	}
	if n := len(f.seen); n == 0 || strings.Contains(f.seen[n-1], "receive-pack") {
		t.Errorf("what was refused reached the host: %q", f.seen)
	}
	checkRuns(t, h)
}

// checkRuns wants every task of the house to be over.
func checkRuns(t *testing.T, h *testenv.Env) {
	t.Helper()
	var tasks []testenv.Task
	h.BylineJSON(&tasks, "task", "list")
	for _, task := range tasks {
		if task.State != "ended" {
			t.Errorf("task %s is %s after its program", task.ID, task.State)
		}
	}
}
