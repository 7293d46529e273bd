package testenv

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
)

// patience is how long anything may take before the test gives up.
const patience = 60 * time.Second

// Env is one installation of byline: a folder with configuration and state,
// and the server's process while it runs.
type Env struct {
	Dir    string // holds byline.yaml, adapters.d, policies.d, data and serve.log
	Config string // byline.yaml
	Listen string // where agents reach the proxy, host:port

	ServerEnv    []string // what the server has in its environment on top
	ServerPrefix []string // a command that starts the server when it is given its arguments

	t      testing.TB
	server *process
	marks  marks
	seen   seen
	apps   []*apps.App
}

// New founds a house with byline init. more is YAML for byline.yaml on top of
// data_dir, listen and control, and of guard unless it has one. The server is not started. When the test
// ends, the server is stopped and everything is searched for secrets.
func New(t testing.TB, more string) *Env {
	t.Helper()
	h := &Env{Dir: t.TempDir(), t: t}
	if err := os.Chmod(h.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.Config = filepath.Join(h.Dir, "byline.yaml")
	if r := h.Byline("init"); r.Code != 0 {
		t.Fatalf("byline init: %s", r)
	}
	h.Listen = freeAddr(t)
	h.Configure(more)
	t.Cleanup(h.close)
	return h
}

// Configure writes byline.yaml anew, see [New].
func (h *Env) Configure(more string) {
	h.t.Helper()
	control := freeAddr(h.t)
	if old, err := os.ReadFile(h.Config); err == nil {
		if _, rest, ok := strings.Cut(string(old), "control: {listen: "); ok {
			control, _, _ = strings.Cut(rest, "}")
		}
	}
	if !strings.Contains(more, "guard:") {
		more = "guard: {allow: [127.0.0.0/8]}\n" + more
	}
	h.Write("byline.yaml", fmt.Sprintf("data_dir: data\nlisten: %q\ncontrol: {listen: %s}\n%s\n", h.Listen, control, more))
}

// Write puts a file into the house's folder in one step, as an editor would.
func (h *Env) Write(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.Dir, name)
	tmp := filepath.Join(filepath.Dir(path), ".new-"+filepath.Base(path))
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		h.t.Fatal(err)
	}
}

// Remove takes a file out of the house's folder.
func (h *Env) Remove(name string) {
	h.t.Helper()
	if err := os.Remove(filepath.Join(h.Dir, name)); err != nil {
		h.t.Fatal(err)
	}
}

// Serves writes an adapter for a, which extends the library's of that name.
// more is YAML that comes on top.
func (h *Env) Serves(a *apps.App, more string) {
	h.t.Helper()
	host := strings.TrimPrefix(a.Public, "https://")
	h.Write("adapters.d/"+a.Name+".yaml", fmt.Sprintf(`name: %s
extends: %s
interim: {reason: "no identity but a person's", owner: secops@acme.test, review_by: 2099-01-01}
hosts: [%s]
upstream: {url: "%s"}
%s
`, a.Name, a.Name, host, a.URL, more))
	for _, old := range h.apps {
		if old.Name == a.Name {
			return
		}
	}
	h.apps = append(h.apps, a)
	a.BeforeForget(func(all []apps.Seen) {
		h.marks.mu.Lock()
		defer h.marks.mu.Unlock()
		searchRequests(h.t, a, all, newIndex(h.marks.borrowed, h.marks.tokens))
	})
	h.t.Cleanup(func() { a.BeforeForget(nil) })
}

// Account puts a compensating account of that name into the vault. The shared
// applications are given it once for all houses. Its password is a secret.
func (h *Env) Account(a *apps.App, name string) apps.Login {
	h.t.Helper()
	l := person(a, name)
	h.Put(a.Name, strings.ToLower(name), map[string]string{"username": l.User, "password": l.Password})
	return l
}

// Put stores an account's fields with byline vault put. All but username are
// secrets of the house.
func (h *Env) Put(adapter, account string, fields map[string]string) {
	h.t.Helper()
	var lines strings.Builder
	for name, value := range fields {
		fmt.Fprintf(&lines, "%s=%s\n", name, value)
		if name != "username" {
			h.marks.secret(adapter+"/"+account+" "+name, value)
		}
	}
	if r := h.BylineWith(lines.String(), "vault", "put", adapter, account); r.Code != 0 {
		h.t.Fatalf("byline vault put: %s", r)
	}
}

// Result is how a command ended.
type Result struct {
	Out, Err string
	Code     int
}

func (r Result) String() string { return fmt.Sprintf("exit %d\n%s%s", r.Code, r.Out, r.Err) }

// Byline runs one command of the program to its end.
func (h *Env) Byline(args ...string) Result { h.t.Helper(); return h.BylineWith("", args...) }

// BylineWith is [Env.Byline] with text on standard input.
func (h *Env) BylineWith(input string, args ...string) Result {
	h.t.Helper()
	c := h.Command(args...)
	c.Stdin = strings.NewReader(input)
	return h.Finish(c)
}

// Command is the program with the house's configuration, not started. What it
// prints is not searched for secrets unless the test does so.
func (h *Env) Command(args ...string) *exec.Cmd {
	c := exec.Command(Binary(h.t), append(args, "--config", h.Config)...)
	if i := indexOf(args, "--"); i >= 0 {
		c.Args = append(append(append([]string{c.Path}, args[:i]...), "--config", h.Config), args[i:]...)
	}
	c.Dir = h.Dir
	c.Env = environ()
	return c
}

// environ is a small environment, without anything that names a proxy.
func environ() (env []string) {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func indexOf(all []string, one string) int {
	for i, s := range all {
		if s == one {
			return i
		}
	}
	return -1
}

// Start starts the server, with core files allowed as far as this process may
// allow them, and returns once it answers.
func (h *Env) Start() {
	h.t.Helper()
	if h.server != nil && h.server.running() {
		h.t.Fatal("the server runs already")
	}
	before := strings.Count(h.Log(), `"message":"serving"`)
	log, err := os.OpenFile(filepath.Join(h.Dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"-c", `ulimit -S -c "$(ulimit -H -c)"; exec "$@"`, "sh"}, h.ServerPrefix...)
	c := exec.Command("/bin/sh", append(args, Binary(h.t), "serve", "--config", h.Config)...)
	c.Dir, c.Env, c.Stdout, c.Stderr = h.Dir, append(environ(), h.ServerEnv...), log, log
	if h.server, err = startProcess(c); err != nil {
		h.t.Fatal(err)
	}
	h.Until("the server answers", func() bool {
		if !h.server.running() {
			h.t.Fatalf("byline serve ended at once:\n%s", h.Log())
		}
		return strings.Count(h.Log(), `"message":"serving"`) > before
	})
}

// Stop ends the server as an operator does, with SIGTERM.
func (h *Env) Stop() { h.t.Helper(); h.Signal(syscall.SIGTERM) }

// Kill ends the server with SIGKILL.
func (h *Env) Kill() { h.t.Helper(); h.Signal(syscall.SIGKILL) }

// Signal sends the server a signal that ends it, and waits for its end.
func (h *Env) Signal(sig syscall.Signal) {
	h.t.Helper()
	if h.server == nil {
		h.t.Fatal("the server was not started")
	}
	h.server.end(h.t, sig)
}

// PID is the server's process, which may have ended.
func (h *Env) PID() int { return h.server.cmd.Process.Pid }

// Log is what the server has written for its operator, over all its starts.
func (h *Env) Log() string {
	b, err := os.ReadFile(filepath.Join(h.Dir, "serve.log"))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return string(b)
}

// Until waits until ready says so.
func (h *Env) Until(what string, ready func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%v went by before %s; the server's log:\n%s", patience, what, tail(h.Log()))
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// JSON runs a command with --json and reads what it prints into v.
func (h *Env) JSON(v any, args ...string) {
	h.t.Helper()
	r := h.Byline(append(args, "--json")...)
	h.parse(v, r, args)
}

func (h *Env) parse(v any, r Result, args []string) {
	h.t.Helper()
	if r.Code != 0 {
		h.t.Fatalf("byline %s: %s", strings.Join(args, " "), r)
	}
	if err := json.Unmarshal([]byte(r.Out), v); err != nil {
		h.t.Fatalf("byline %s: %v in %s", strings.Join(args, " "), err, r.Out)
	}
}

func (h *Env) close() {
	if h.server != nil && h.server.running() {
		h.server.end(h.t, syscall.SIGTERM)
	}
	if h.t.Failed() {
		h.t.Logf("the server's log ends:\n%s", tail(h.Log()))
	}
	h.Search(h.t)
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Reload makes a change to the house's files, asks the running server to look
// (SIGHUP), and returns what it logged about it.
func (h *Env) Reload(change func()) string {
	h.t.Helper()
	before := len(h.Log())
	change()
	if err := h.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		h.t.Fatal(err)
	}
	return h.Reloaded(before)
}

// Reloaded waits until the server has looked at its files, and returns what it
// logged after the first bytes of its log.
func (h *Env) Reloaded(before int) (said string) {
	h.t.Helper()
	h.Until("the server has reloaded", func() bool {
		said = h.Log()[before:]
		return strings.Contains(said, `"message":"reloaded"`) || strings.Contains(said, `"message":"not reloaded`)
	})
	return said
}

// Secret marks a value as one that neither agents nor operators may ever see.
func (h *Env) Secret(what, value string) { h.marks.secret(what, value) }
