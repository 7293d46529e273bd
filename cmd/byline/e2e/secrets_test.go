package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestI1RepeatedSecretsAreMasked reads answers that repeat the password, the
// seed of one-time codes and every session in all encodings. The installation
// and all answers are searched for these secrets when the test ends.
func TestI1RepeatedSecretsAreMasked(t *testing.T) {
	app := newEchoApp(t)
	env := startEchoEnv(t, app, "log: {level: debug}")
	agent, task := newEchoAgent(env, nil)
	agent.Header.Set("Accept-Encoding", "gzip")

	for protocol, agent := range map[string]*testenv.Agent{"HTTP/1.1": agent, "HTTP/2": agent.WithHTTP2()} {
		for _, path := range []string{"/", "/text", "/events", "/script", "/redirect", "/broken", "/zipped", "/ranged", "/events"} {
			a := agent.Get(path)
			if a.Err != nil || a.Status == 502 || !strings.Contains(a.Body+a.Header.Get("Location"), "***") {
				t.Errorf("GET %s over %s: status %d, code %q, error %v; want an answer with masked secrets, got %.300q", path, protocol, a.Status, a.Code, a.Err, a.Body)
			}
			agent.SendForm("HEAD", path, nil)
		}
		agent.WithHeader(http.Header{"Range": {"bytes=20-60"}}).Get("/ranged").Want(t, 200, "***")
		agent.Post("/text", map[string][]string{"x": {"y"}}).Want(t, 200, "***")
	}

	var readers sync.WaitGroup
	for range 16 { // the session cookie changes during concurrent requests
		readers.Go(func() { agent.Get("/text") })
	}
	readers.Wait()

	env.Stop()
	env.Start() // with the session that the first server stored
	agent.Get("/text").Want(t, 200, "***")
	env.Byline("task", "show", task.ID)
	env.Byline("vault", "list")
	env.EndTask(task)

	app.registerSessions(env)
	if app.logins != 1 {
		t.Errorf("%d logins, want 1", app.logins)
	}
}

// TestI1FailedLoginRevealsNoSecret fails a login by a wrong password and by a
// wrong seed. The operator's log says so without either.
func TestI1FailedLoginRevealsNoSecret(t *testing.T) {
	app := newEchoApp(t)
	env := startEchoEnv(t, app, "log: {level: debug}")
	app.putAccount(env, testenv.NewSecret(), app.seed)
	agent, _ := newEchoAgent(env, nil)
	agent.Get("/").WantRefusal(t, "login_failed")

	app.putAccount(env, app.password, "not a seed at all 0189")
	agent.Get("/").WantRefusal(t, "login_failed")
	env.Byline("audit", "tail")
	if !strings.Contains(env.ServerLog(), "login failed") {
		t.Error("the log does not say that the login failed")
	}
}

// TestI2BorrowedCredentialsNeverReachApplication sends a borrowed secret in
// cookies, header fields, parameters, an upgrade and a login, in several
// spellings. It must not reach the application, and the requests must.
func TestI2BorrowedCredentialsNeverReachApplication(t *testing.T) {
	app := newEchoApp(t)
	env := startEchoEnv(t, app, "")
	borrowed := testenv.NewSecret()
	agent, _ := newEchoAgent(env, []*http.Cookie{
		{Name: "sid", Value: borrowed}, {Name: "SID", Value: borrowed}, {Name: "copy1", Value: borrowed}, {Name: "unknown", Value: borrowed},
	})

	for _, agent := range []*testenv.Agent{agent, agent.WithHTTP2()} {
		for _, field := range []string{
			"Authorization: Bearer %s", "Authorization: Basic %s", "authorization: Custom %s", "X-Api-Key: %s", "X-Auth-Token: %s", "X-Session-Id: %s",
			"Cookie2: sid=%s", "X-Forwarded-User: %s", "X-Anything: Bearer %s", "X-Access-Token: %s", "Private-Token: %s", "Set-Cookie: sid=%s",
		} {
			name, value, _ := strings.Cut(fmt.Sprintf(field, borrowed), ": ")
			if a := agent.WithHeader(http.Header{name: {value}}).Get("/text"); a.Err != nil || a.Status != 200 {
				t.Errorf("GET /text with the field %s: status %d, code %q, error %v; want 200: %s", name, a.Status, a.Code, a.Err, a.Body)
			}
		}

		agent.Get("/text?x=1&access_token="+borrowed).Want(t, 200, "")
		agent.Get("/text?ACCESS_TOKEN="+borrowed+"&x=1").Want(t, 200, "")
		agent.WithHeader(http.Header{
			"Referer": {"https://echo.acme.test/?access_token=" + borrowed},
			"Cookie":  {"a=b; sid=" + borrowed, "theme=dark; sid=\"" + borrowed + "\""},
		}).Get("/text").Want(t, 200, "")
		agent.WithHeader(http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"bearer, " + borrowed},
		}).Get("/text")
		agent.Post("/login", map[string][]string{"user": {"alice"}, "pass": {borrowed}}).WantRefusal(t, "login_by_agent")
	}

	app.mu.Lock()
	defer app.mu.Unlock()
	for _, request := range app.requests {
		if testenv.ContainsSecret(request, borrowed) {
			t.Errorf("I2: the application received a borrowed secret:\n%s", request)
		}
	}
}

// TestI1NoCoreFileIsLeft kills the server, and a command that has read a
// secret, with signals that write a core file by default. Limits and
// environment allow core files.
func TestI1NoCoreFileIsLeft(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); !strings.HasPrefix(string(pattern), "core") {
		t.Skipf("core files go to %s, where this test cannot look", pattern)
	}
	app := newEchoApp(t)
	env := startEchoEnv(t, app, "")
	t.Setenv("GOTRACEBACK", "crash")
	agent, _ := newEchoAgent(env, nil)
	agent.Get("/text").Want(t, 200, "***")

	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGQUIT} {
		env.Signal(sig)
		env.Start()
		agent.Get("/text").Want(t, 200, "***")
	}
	abortVaultPut(t, env)

	cores, _ := filepath.Glob(filepath.Join(env.Dir, "core*"))
	if len(cores) > 0 {
		t.Errorf("I1: core files were written: %v", cores)
	}
	app.registerSessions(env)
}

// abortVaultPut starts byline vault put, lets it read a secret from its input
// and sends it SIGABRT.
func abortVaultPut(t *testing.T, env *testenv.Env) {
	t.Helper()

	line := testenv.WithCoreFiles(env.Command("vault", "put", "echo", "agent-02").Args...)
	c := exec.Command(line[0], line[1:]...)
	c.Dir = env.Dir
	c.Env = append(os.Environ(), "GOTRACEBACK=crash")
	from, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	defer in.Close()
	c.Stdin = from
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}

	secret := testenv.NewSecret()
	env.AddSecret("the input of byline vault put", secret)
	fmt.Fprintf(in, "password=%s\n", secret)
	testenv.WaitUntil(t, "the command has read the secret", func() bool {
		unread, err := unix.IoctlGetInt(int(from.Fd()), unix.TIOCINQ)
		return err == nil && unread == 0
	})
	_ = c.Process.Signal(syscall.SIGABRT)
	_ = c.Wait()
}
