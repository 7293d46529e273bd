package apps

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second // for a server to accept connections
	runTimeout   = 60 * time.Second // for a program that workspace.run runs
)

// workspace is a folder with the account that programs in it run as.
type workspace struct {
	dir        string
	env        []string            // added to the environment of every program
	credential *syscall.Credential // nil: the test's own
}

// newWorkspace creates a folder that is removed when the test ends. If the
// test runs as root, the folder belongs to account and programs run as account.
func newWorkspace(t testing.TB, name, account string) *workspace {
	t.Helper()

	dir, err := os.MkdirTemp("", "byline-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &workspace{dir: dir}

	if os.Geteuid() == 0 {
		u, err := user.Lookup(account)
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		w.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := w.chownAll(); err != nil {
		t.Fatal(err)
	}
	return w
}

// chownAll gives everything in the folder to the account.
func (w *workspace) chownAll() error {
	if w.credential == nil {
		return nil
	}
	return filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(w.credential.Uid), int(w.credential.Gid))
	})
}

func (w *workspace) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *workspace) writeFile(name, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(w.path(name), []byte(text), mode)
}

// run runs a program to its end and returns its standard output.
func (w *workspace) run(input, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()

	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = w.dir
	c.Env = w.environment()
	c.Stdin = strings.NewReader(input)
	c.Stderr = &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: w.credential}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 2 * time.Second

	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s%s", program, err, out, stderr.Bytes())
	}
	return string(out), nil
}

func (w *workspace) environment() []string {
	base := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + w.dir, "LANG=C.UTF-8"}
	return append(base, w.env...)
}

// runUntilInputEnds is a shell script that runs "$@" until standard input
// ends, which also happens when the test's process is killed. Then it kills
// the whole process group.
const runUntilInputEnds = `"$@" </dev/null & cat >/dev/null; kill -KILL 0`

// start starts a program that runs until the test ends, and waits until ready
// returns true.
func (w *workspace) start(t testing.TB, ready func() bool, program string, args ...string) {
	t.Helper()

	logPath := w.path(filepath.Base(program) + ".log")
	log, err := os.Create(logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	c := exec.Command("/bin/sh", append([]string{"-c", runUntilInputEnds, "sh", program}, args...)...)
	c.Dir = w.dir
	c.Env = w.environment()
	c.Stdout = log
	c.Stderr = log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: w.credential}
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		c.Wait()
	})

	for deadline := time.Now().Add(startTimeout); !ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			output, _ := os.ReadFile(logPath)
			t.Fatalf("%s did not start within %v; its output:\n%s", program, startTimeout, output)
		}
	}
}

// freePort returns a TCP port of the loopback interface that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// acceptsConnections returns a function that reports whether somebody listens
// at addr.
func acceptsConnections(network, addr string) func() bool {
	return func() bool {
		conn, err := net.DialTimeout(network, addr, time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
}

// requireFiles skips the test unless every file exists. A name without a slash
// is a program, looked up in PATH. See skipOrFail.
func requireFiles(t testing.TB, packages string, files ...string) {
	t.Helper()
	for _, f := range files {
		_, err := os.Stat(f)
		if !filepath.IsAbs(f) {
			_, err = exec.LookPath(f)
		}
		if err != nil {
			skipOrFail(t, f+" is missing: install "+packages+" with cmd/byline/e2e/install.sh")
		}
	}
}

// skipOrFail skips the test, or fails it if the environment has CI=true or
// BYLINE_E2E=require.
func skipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("BYLINE_E2E") == "require" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
