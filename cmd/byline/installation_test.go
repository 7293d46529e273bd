package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/demo"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// installation is an installation in a temporary folder whose commands run this test
// binary as byline (see TestMain). Its methods read and change it as tests need.
type installation struct{ *demo.Installation }

// ticketsPasswords are the passwords of the people and accounts of Tickets, the
// application behind the servers of these tests.
var ticketsPasswords = map[string]string{"alice": "alice-password", "agent-01": "agent-password"}

// newInstallation returns an installation in an existing, empty folder. app may be nil.
func newInstallation(t *testing.T, dir string, app *demo.Tickets) *installation {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	return &installation{&demo.Installation{Dir: dir, Program: program, App: app}}
}

// initialize returns what byline init makes, without a server and an application.
func initialize(t *testing.T) *installation {
	t.Helper()
	h := newInstallation(t, t.TempDir(), nil)
	h.run(t, "", "init")
	return h
}

// serve returns an installation whose server runs with Tickets behind it, and its
// configuration. The server is stopped when the test ends, and must exit with 0.
func serve(t *testing.T) (*installation, *configs.Config) {
	t.Helper()
	return serveAfter(t, func(*testing.T, *installation) {})
}

// serveAfter is [serve] with a change of the files before the server starts.
func serveAfter(t *testing.T, change edit) (*installation, *configs.Config) {
	t.Helper()
	app, err := demo.Start(ticketsPasswords)
	must(t, err)
	t.Cleanup(func() { _ = app.Close() })

	h := initialize(t)
	h.App = app
	must(t, os.WriteFile(h.Path("acme-ca.pem"), app.CA(), 0o600))
	must(t, h.Configure())
	h.run(t, "username=agent-01\npassword="+ticketsPasswords["agent-01"]+"\n", "vault", "put", "tickets/agent-01")
	change(t, h)

	must(t, h.Serve(t.Context()))
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Errorf("the server ended with %v:\n%s", err, h.read(t, "serve.log"))
		}
	})

	cfg, err := configs.Load(h.Path("byline.yaml"))
	must(t, err)
	return h, cfg
}

// serveOnce starts a server and stops it, so that the installation has state and records.
func serveOnce(t *testing.T, h *installation) {
	t.Helper()
	must(t, h.Serve(t.Context()))
	must(t, h.Stop())
}

// run runs a command that must succeed and returns its output.
func (h *installation) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := h.Run(t.Context(), stdin, args...)
	must(t, err)
	return out
}

// exitCode runs a command and returns its exit code and its output.
func (h *installation) exitCode(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := h.Command(t.Context(), args...)
	out, err := cmd.CombinedOutput()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// createTask creates a task for Tickets.
func (h *installation) createTask(t *testing.T) *admin.Task {
	t.Helper()
	return h.createTaskFor(t, "tickets:ticket.*")
}

// createTaskFor creates a task with a scope of one entry for each value of --allow.
func (h *installation) createTaskFor(t *testing.T, allow ...string) *admin.Task {
	t.Helper()
	args := []string{"task", "create", "--json", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1"}
	for _, entry := range allow {
		args = append(args, "--allow", entry)
	}
	out := h.run(t, "", args...)

	var task admin.Task
	if err := json.Unmarshal([]byte(out), &task); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return &task
}

// agent returns an HTTP client that works in the task.
func (h *installation) agent(t *testing.T, cfg *configs.Config, task *admin.Task) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(h.read(t, "data/certs/root.crt")))
	proxy := &url.URL{Scheme: "http", Host: cfg.Listen, User: url.UserPassword(task.ID, task.Token)}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// reload sends SIGHUP to the server and waits until a line of its log has the outcome.
func (h *installation) reload(t *testing.T, outcome string) {
	t.Helper()
	before := len(h.read(t, "serve.log"))
	must(t, h.Server.Process.Signal(syscall.SIGHUP))

	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		log := h.read(t, "serve.log")[before:]
		if slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool { return strings.Contains(line, " "+outcome) }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after SIGHUP the log has no line with %q:\n%s", outcome, log)
		}
	}
}

func (h *installation) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(h.Path(name))
	must(t, err)
	return string(text)
}

func (h *installation) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(h.Path(name), []byte(text), 0o600))
}

// copy returns a copy of the installation in another folder, with other ports.
func (h *installation) copy(t *testing.T) *installation {
	t.Helper()
	c := newInstallation(t, filepath.Join(t.TempDir(), "copy"), nil)
	must(t, os.CopyFS(c.Dir, os.DirFS(h.Dir)))

	// CopyFS sets the modes that umask allows, so they are copied after it.
	must(t, filepath.WalkDir(h.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(c.Path(strings.TrimPrefix(path, h.Dir)), st.Mode().Perm())
	}))

	ports, err := demo.FreePorts(2)
	must(t, err)
	c.write(t, "byline.yaml", strings.NewReplacer(
		"127.0.0.1:8080", "127.0.0.1:"+ports[0],
		"127.0.0.1:8081", "127.0.0.1:"+ports[1],
	).Replace(c.read(t, "byline.yaml")))
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
