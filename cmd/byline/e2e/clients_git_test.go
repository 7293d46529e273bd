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

// gitBackend is git's own CGI program, which serves repositories over HTTP.
const gitBackend = "/usr/lib/git-core/git-http-backend"

// gitServer serves the repository notes.git to users with a password. A hook
// logs pushes.
type gitServer struct {
	*httptest.Server
	dir       string
	passwords map[string]string // by user

	mu       sync.Mutex
	accepted []string // "user METHOD path" of requests with the right password
	rejected []string // and of the others
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

func newGitServer(t *testing.T, passwords map[string]string) *gitServer {
	t.Helper()
	if _, err := os.Stat(gitBackend); err != nil {
		t.Skipf("git is missing: run cmd/byline/e2e/install.sh: %v", err)
	}

	s := &gitServer{dir: t.TempDir(), passwords: passwords}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "-b", "main", "notes.git"},
		{"-C", "notes.git", "config", "http.receivepack", "true"},
	} {
		c := exec.Command("git", args...)
		c.Dir = s.dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	hook := fmt.Sprintf("#!/bin/sh\nwhile read -r old new ref; do echo \"$REMOTE_USER pushed $ref\" >>%s; done\n", s.pushLog())
	if err := os.WriteFile(filepath.Join(s.dir, "notes.git", "hooks", "post-receive"), []byte(hook), 0o755); err != nil {
		t.Fatal(err)
	}

	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *gitServer) pushLog() string { return filepath.Join(s.dir, "pushes") }

func (s *gitServer) serve(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	ok := s.passwords[user] != "" && s.passwords[user] == password
	s.recordRequest(ok, user+" "+r.Method+" "+r.URL.Path)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	}

	body, err := io.ReadAll(r.Body) // CGI needs the length
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
	backend := &cgi.Handler{Path: gitBackend, Env: []string{"GIT_PROJECT_ROOT=" + s.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + user}}
	backend.ServeHTTP(w, r)
}

func (s *gitServer) recordRequest(accepted bool, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if accepted {
		s.accepted = append(s.accepted, line)
	} else {
		s.rejected = append(s.rejected, line)
	}
}

// readPushes returns the log that the hook writes.
func (s *gitServer) readPushes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.pushLog())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// gitVariables returns an environment that gives git an empty home, Alice as
// author, and basic, her user name and password in base64, as a credential.
func gitVariables(t *testing.T, basic string) []string {
	t.Helper()
	return []string{
		"HOME=" + t.TempDir(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic " + basic,
		"GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=Alice",
		"GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=alice@acme.test",
	}
}

// TestGitClonesAndPushesAsAccount clones and pushes over HTTP with Alice's
// password in git's configuration. The file is too large for git to push it in
// one piece.
func TestGitClonesAndPushesAsAccount(t *testing.T) {
	passwords := map[string]string{"alice": testenv.NewSecret(), "agent-01": testenv.NewSecret()}
	server := newGitServer(t, passwords)
	env := testenv.New(t, "")
	env.WriteFile("adapters.d/git.yaml", fmt.Sprintf(gitAdapter, server.URL))
	env.PutAccount("git", "agent-01", map[string]string{"username": "agent-01", "password": passwords["agent-01"]})
	env.Start()

	const cloneAndPush = `git clone -q https://git.acme.test/notes.git work 2>&1; cd work; git checkout -q -B main
head -c 3000000 /dev/urandom >large; git add large; git commit -q -m large; git push -q origin main 2>&1; git ls-remote origin`
	basic := base64.StdEncoding.EncodeToString([]byte("alice:" + passwords["alice"]))
	runGit := func(allow string) testenv.Result {
		t.Helper()
		spec := testenv.TaskSpec{Allow: []string{allow}}
		return env.RunToEnd(env.RunCommand(spec, t.TempDir(), gitVariables(t, basic), "sh", "-ec", cloneAndPush))
	}

	if r := runGit("git:repo.*@repo/notes.git"); r.Code != 0 || !strings.Contains(r.Out, "refs/heads/main") {
		t.Fatalf("clone and push: want exit 0 and refs/heads/main, got %s", r)
	}
	if got, want := server.readPushes(t), "agent-01 pushed refs/heads/main\n"; got != want {
		t.Errorf("the server logged the pushes %q, want %q", got, want)
	}
	if r := runGit("git:repo.read"); r.Code == 0 || !strings.Contains(r.Out, "403") {
		t.Errorf("push without permission: want a failure with 403, got %s", r)
	}

	server.mu.Lock()
	defer server.mu.Unlock()
	byOthers := slices.ContainsFunc(server.accepted, func(line string) bool { return !strings.HasPrefix(line, "agent-01 ") })
	if len(server.rejected) > 0 || byOthers {
		t.Errorf("I2: the server saw users other than agent-01: accepted %q, rejected %q", server.accepted, server.rejected)
	}
	if n := len(server.accepted); n == 0 || strings.Contains(server.accepted[n-1], "receive-pack") {
		t.Errorf("the refused push reached the server: %q", server.accepted)
	}
	checkTasksEnded(t, env)
}
