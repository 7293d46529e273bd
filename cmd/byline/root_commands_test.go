package main

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serviceUser is the number of a user that runs the server and has no name here.
const serviceUser = 64123

// rootTest is an installation in a folder of serviceUser, in which root and that user
// run commands.
type rootTest struct {
	t       *testing.T
	dir     string
	program string
}

// newRootTest skips the test unless root runs it.
func newRootTest(t *testing.T) *rootTest {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run commands as another user")
	}

	dir, err := os.MkdirTemp("", "byline-root-") // the folders above that of t.TempDir are private
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	own, err := os.Executable()
	must(t, err)
	content, err := os.ReadFile(own)
	must(t, err)
	program := filepath.Join(dir, "program")
	must(t, os.WriteFile(program, content, 0o755))

	r := &rootTest{t, filepath.Join(dir, "install"), program}
	must(t, os.Mkdir(r.dir, 0o755))
	must(t, os.Chown(r.dir, serviceUser, serviceUser))
	return r
}

// command returns a command of byline that the user runs.
func (r *rootTest) command(uid uint32, args ...string) *exec.Cmd {
	c := exec.CommandContext(r.t.Context(), r.program, args...)
	c.Args[0] = "byline"
	c.Dir = r.dir
	c.Env = append(os.Environ(), "BYLINE_LISTEN=127.0.0.1:0", "BYLINE_CONTROL_LISTEN=127.0.0.1:0")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return c
}

// run runs a command and returns what it wrote and its exit code.
func (r *rootTest) run(uid uint32, stdin string, args ...string) (output string, code int) {
	r.t.Helper()
	c := r.command(uid, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		r.t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// mustRun is run for a command that must succeed.
func (r *rootTest) mustRun(uid uint32, stdin string, args ...string) {
	r.t.Helper()
	if out, code := r.run(uid, stdin, args...); code != 0 {
		r.t.Fatalf("as user %d, byline %v exits with %d: %s", uid, args, code, out)
	}
}

// serve runs a server until stop is called.
func (r *rootTest) serve(uid uint32) (stop func()) {
	r.t.Helper()
	c := r.command(uid, "serve")
	log := &lockedOutput{}
	c.Stderr = log
	must(r.t, c.Start())
	stop = func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	}
	for range 200 {
		if status, _ := r.ready(); status == http.StatusOK {
			return stop
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	r.t.Fatalf("the server of user %d does not become ready: %s", uid, log)
	return nil
}

// ready asks /readyz over the control socket.
func (r *rootTest) ready() (status int, body string) {
	socket := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, "data", "control.sock"))
	}}
	defer socket.CloseIdleConnections()
	resp, err := (&http.Client{Transport: socket}).Get("http://localhost/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// checkOwners fails the test if a file of the installation belongs to another user.
func (r *rootTest) checkOwners(when string) {
	r.t.Helper()
	err := filepath.WalkDir(filepath.Join(r.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != serviceUser {
			r.t.Errorf("%s, %s belongs to user %d, want %d", when, path, uid, serviceUser)
		}
		return nil
	})
	must(r.t, err)
}

const rootSecret = "username=agent-01\npassword=a-password-of-9182\n"

// addAdapter puts an adapter into the installation, so that the vault has something
// to be read for.
func (r *rootTest) addAdapter() {
	r.t.Helper()
	example, err := os.ReadFile(filepath.Join(r.dir, "adapters.d", "wiki.yaml.example"))
	must(r.t, err)
	adapter := filepath.Join(r.dir, "adapters.d", "wiki.yaml")
	must(r.t, os.WriteFile(adapter, example, 0o644))
	must(r.t, os.Chmod(adapter, 0o644)) // whatever the umask
}

// TestWhatRootRunsTheServiceCanRead runs every command that writes as root in a folder of
// the service's user, before, while and after its server runs.
func TestWhatRootRunsTheServiceCanRead(t *testing.T) {
	r := newRootTest(t)
	defer syscall.Umask(syscall.Umask(0o077))
	r.mustRun(0, "", "init")
	r.checkOwners("after init")
	r.addAdapter()
	r.mustRun(0, rootSecret, "vault", "put", "wiki/agent-01")
	r.mustRun(0, "", "ca", "issue")
	r.mustRun(0, "", "audit", "rotate")
	r.checkOwners("after vault put, ca issue and audit rotate")
	r.mustRun(serviceUser, "", "check")

	public := filepath.Join(r.dir, "data", "audit.key.pub")
	must(t, os.Chmod(public, 0o644))
	stop := r.serve(serviceUser)
	r.mustRun(0, rootSecret, "vault", "put", "wiki/agent-02")
	r.mustRun(0, "", "vault", "rm", "wiki/agent-01")
	if status, body := r.ready(); status != http.StatusOK {
		t.Errorf("after a vault put of root, /readyz: %d %s, want 200", status, body)
	}
	r.waitForKeys(public, 2)
	r.mustRun(0, "", "audit", "rotate")
	r.waitForKeys(public, 3)
	if info, err := os.Stat(public); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("after audit rotate the public key has the mode %v (%v), want 0644", info.Mode(), err)
	}
	stop()
	r.checkOwners("after a server of the service")

	r.serve(0)() // by mistake
	r.checkOwners("after a server of root")
	r.serve(serviceUser)()
}

// waitForKeys waits until the server has taken over the next audit key.
func (r *rootTest) waitForKeys(path string, keys int) {
	r.t.Helper()
	for range 100 {
		text, _ := os.ReadFile(path)
		if strings.Count(string(text), "\n") >= keys {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.t.Errorf("%s does not get %d keys", path, keys)
}

// TestUnreadableVaultIsNotReady gives the vault of a running server to root, as older
// versions did: the server says so, and a start says what to do.
func TestUnreadableVaultIsNotReady(t *testing.T) {
	r := newRootTest(t)
	r.mustRun(serviceUser, "", "init")
	r.addAdapter()
	r.mustRun(serviceUser, rootSecret, "vault", "put", "wiki/agent-01")
	stop := r.serve(serviceUser)

	vault := filepath.Join(r.dir, "data", "vault")
	content, err := os.ReadFile(vault)
	must(t, err)
	must(t, os.WriteFile(vault+".copy", content, 0o600))
	must(t, os.Rename(vault+".copy", vault))
	if status, body := r.ready(); status != http.StatusServiceUnavailable || !strings.Contains(body, "vault cannot be read") {
		t.Errorf("while the vault belongs to root, /readyz: %d %s, want 503 with the cause", status, body)
	}
	stop()

	out, code := r.run(serviceUser, "", "serve")
	if code != 1 || !strings.Contains(out, "chown --reference="+filepath.Dir(vault)+" "+vault) {
		t.Errorf("a start exits with %d: %s, want 1 and a hint to give the file away", code, out)
	}
	if out, _ := r.run(serviceUser+1, "", "vault", "list"); !strings.Contains(out, "run this as that user") {
		t.Errorf("vault list of another user: %s, want a hint to run it as the owner", out)
	}
	must(t, os.Chown(vault, serviceUser, serviceUser))
	r.serve(serviceUser)()
}
