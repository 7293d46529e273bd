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

	"github.com/byline-proxy/byline/cmd/byline/e2e/apps"
	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// An application that repeats the password, the seed of one-time codes and
// every session that it ever gave out, in all codings, gets none of them past
// the proxy. The house is searched when the test ends.
func TestI1AnApplicationThatRepeatsSecretsTellsTheAgentNone(t *testing.T) {
	p := newParrot(t)
	h := parrotHouse(t, p, "log: {level: debug}")
	task := h.CreateTask(testenv.TaskSpec{Allow: []string{"parrot:*"}})
	agent := h.NewAgent(task, &apps.App{PublicURL: "https://parrot.acme.test"}, nil)
	agent.Header.Set("Accept-Encoding", "gzip")
	for proto, g := range map[string]*testenv.Agent{"h1": agent, "h2": agent.WithHTTP2()} {
		for _, path := range []string{"/", "/text", "/events", "/script", "/redirect", "/broken", "/zipped", "/ranged", "/events"} {
			if a := g.Get(path); a.Err != nil || a.Status == 502 || !strings.Contains(a.Body+a.Header.Get("Location"), "***") {
				t.Errorf("%s %s: status %d, code %q, %v, nothing masked in %.300q", proto, path, a.Status, a.Code, a.Err, a.Body)
			}
			g.SendForm("HEAD", path, nil)
		}
		ranged := *g
		ranged.Header = http.Header{"Range": {"bytes=20-60"}}
		ranged.Get("/ranged").Want(t, 200, "***")
		g.Post("/text", map[string][]string{"x": {"y"}}).Want(t, 200, "***")
	}
	var wait sync.WaitGroup
	for range 16 { // cookies change under requests that are under way
		wait.Go(func() { agent.Get("/text") })
	}
	wait.Wait()
	h.Stop()
	h.Start() // the session as it was stored
	agent.Get("/text").Want(t, 200, "***")
	h.Byline("task", "show", task.ID)
	h.Byline("vault", "list")
	h.EndTask(task)
	p.marked(h)
	if p.codes != 1 {
		t.Errorf("%d logins, want 1", p.codes)
	}
}

// A login that fails shows the operator which step failed, and no more.
func TestI1AFailedLoginTellsNoSecret(t *testing.T) {
	p := newParrot(t)
	h := parrotHouse(t, p, "log: {level: debug}")
	h.PutAccount("parrot", "agent-01", map[string]string{"username": "agent-01", "password": testenv.NewSecret(), "totp_seed": p.seed})
	task := h.CreateTask(testenv.TaskSpec{Allow: []string{"parrot:*"}})
	agent := h.NewAgent(task, &apps.App{PublicURL: "https://parrot.acme.test"}, nil)
	agent.Get("/").WantRefusal(t, "login_failed")
	h.PutAccount("parrot", "agent-01", map[string]string{"username": "agent-01", "password": p.password, "totp_seed": "not a seed at all 0189"})
	agent.Get("/").WantRefusal(t, "login_failed")
	h.Byline("audit", "tail")
	if !strings.Contains(h.ServerLog(), "login failed") {
		t.Error("the operator was not told")
	}
}

// Whatever a person lent stays here: in cookies, headers, parameters, trailers
// and upgrades, in whatever case and order.
func TestI2NothingThatAPersonLentReachesTheApplication(t *testing.T) {
	p := newParrot(t)
	h := parrotHouse(t, p, "")
	lent := testenv.NewSecret()
	task := h.CreateTask(testenv.TaskSpec{Allow: []string{"parrot:*"}})
	agent := h.NewAgent(task, &apps.App{PublicURL: "https://parrot.acme.test"}, []*http.Cookie{{Name: "sid", Value: lent}, {Name: "SID", Value: lent}, {Name: "copy1", Value: lent}, {Name: "unknown", Value: lent}})
	for _, g := range []*testenv.Agent{agent, agent.WithHTTP2()} {
		for _, f := range []string{"Authorization: Bearer %s", "Authorization: Basic %s", "authorization: Custom %s", "X-Api-Key: %s", "X-Auth-Token: %s", "X-Session-Id: %s",
			"Cookie2: sid=%s", "X-Forwarded-User: %s", "X-Anything: Bearer %s", "X-Access-Token: %s", "Private-Token: %s", "Set-Cookie: sid=%s"} {
			name, value, _ := strings.Cut(fmt.Sprintf(f, lent), ": ")
			own := *g
			own.Header = http.Header{name: {value}}
			if a := own.Get("/text"); a.Err != nil || a.Status != 200 {
				t.Errorf("%s: status %d, code %q, %v: %s", name, a.Status, a.Code, a.Err, a.Body)
			}
		}
		g.Get("/text?x=1&access_token="+lent).Want(t, 200, "")
		g.Get("/text?ACCESS_TOKEN="+lent+"&x=1").Want(t, 200, "")
		own := *g
		own.Header = http.Header{"Referer": {"https://parrot.acme.test/?access_token=" + lent}, "Cookie": {"a=b; sid=" + lent, "theme=dark; sid=\"" + lent + "\""}}
		own.Get("/text").Want(t, 200, "")
		own.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Protocol": {"bearer, " + lent}}
		own.Get("/text")
		g.Post("/login", map[string][]string{"user": {"alice"}, "pass": {lent}}).WantRefusal(t, "login_by_agent")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, raw := range p.raw {
		if testenv.ContainsSecret(raw, lent) {
			t.Errorf("the application was sent what a person lent:\n%s", raw)
		}
	}
}

// Neither the server nor a command that reads a secret leaves a core file,
// whatever ends it and whatever the limits and the environment allow.
func TestI1NothingLeavesACoreFile(t *testing.T) {
	if pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern"); !strings.HasPrefix(string(pattern), "core") {
		t.Skipf("core files go to %s, where this test cannot look", pattern)
	}
	p := newParrot(t)
	h := parrotHouse(t, p, "")
	t.Setenv("GOTRACEBACK", "crash")
	agent := h.NewAgent(h.CreateTask(testenv.TaskSpec{Allow: []string{"parrot:*"}}), &apps.App{PublicURL: "https://parrot.acme.test"}, nil)
	agent.Get("/text").Want(t, 200, "***")
	for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGQUIT} {
		h.Signal(sig)
		h.Start()
		agent.Get("/text").Want(t, 200, "***")
	}
	for _, args := range [][]string{{"vault", "put", "parrot", "agent-02"}} {
		c := exec.Command("/bin/sh", append([]string{"-c", `ulimit -S -c "$(ulimit -H -c)"; exec "$@"`, "sh"}, h.Command(args...).Args...)...)
		c.Dir, c.Env = h.Dir, append(os.Environ(), "GOTRACEBACK=crash")
		from, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdin = from
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		secret := testenv.NewSecret()
		h.AddSecret("what byline vault put reads", secret)
		fmt.Fprintf(in, "password=%s\n", secret)
		testenv.WaitUntil(t, "it has read the secret", func() bool {
			left, err := unix.IoctlGetInt(int(from.Fd()), unix.TIOCINQ)
			return err == nil && left == 0
		})
		_ = c.Process.Signal(syscall.SIGABRT)
		_ = c.Wait()
		from.Close()
		in.Close()
	}
	cores, _ := filepath.Glob(filepath.Join(h.Dir, "core*"))
	if len(cores) > 0 {
		t.Errorf("core files were left: %v", cores)
	}
	p.marked(h)
}
