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
	startWait = 60 * time.Second
	jobWait   = 60 * time.Second
)

// place is a folder and the account that programs in it run as.
type place struct {
	dir string
	env []string
	as  *syscall.Credential // nil: as the test itself
}

// newPlace makes a folder that goes with the test. Root does not run
// applications as itself: they run as account, which owns the folder.
func newPlace(t testing.TB, name, account string) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "byline-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{dir: dir}
	if os.Geteuid() == 0 {
		u, err := user.Lookup(account)
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := p.own(); err != nil {
		t.Fatal(err)
	}
	return p
}

// own gives everything in the folder to the account.
func (p *place) own() error {
	if p.as == nil {
		return nil
	}
	return filepath.WalkDir(p.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(p.as.Uid), int(p.as.Gid))
	})
}

func (p *place) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *place) write(name, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(p.path(name), []byte(text), mode)
}

// run runs a program to its end and returns what it printed.
func (p *place) run(input, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), jobWait)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	c.Dir, c.Env, c.Stdin, c.Stderr = p.dir, p.environ(), strings.NewReader(input), &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 2 * time.Second
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s%s", program, err, out, stderr.Bytes())
	}
	return string(out), nil
}

func (p *place) environ() []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + p.dir, "LANG=C.UTF-8"}, p.env...)
}

// watched runs "$@" until its own input ends, which happens also when the
// test's process is killed; then the whole process group goes.
const watched = `"$@" </dev/null & cat >/dev/null; kill -KILL 0`

// start runs a program until the test ends and waits until ready says so.
func (p *place) start(t testing.TB, ready func() bool, program string, args ...string) {
	t.Helper()
	logPath := p.path(filepath.Base(program) + ".log")
	log, err := os.Create(logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := exec.Command("/bin/sh", append([]string{"-c", watched, "sh", program}, args...)...)
	c.Dir, c.Env, c.Stdout, c.Stderr = p.dir, p.environ(), log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as}
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
	for end := time.Now().Add(startWait); !ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			said, _ := os.ReadFile(logPath)
			t.Fatalf("%s did not start within %v:\n%s", program, startWait, said)
		}
	}
}

// freePort is one that nobody listened on a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func listening(network, addr string) func() bool {
	return func() bool {
		c, err := net.DialTimeout(network, addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
}

// need skips the test when a file that a package brings is missing, and fails
// it where all must be there.
func need(t testing.TB, packages string, files ...string) {
	t.Helper()
	for _, f := range files {
		_, err := os.Stat(f)
		if !filepath.IsAbs(f) {
			_, err = exec.LookPath(f)
		}
		if err != nil {
			missing(t, f+" is missing: install "+packages+" with cmd/byline/e2e/install.sh")
		}
	}
}

// missing skips the test, or fails it under CI=true and BYLINE_E2E=require.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("BYLINE_E2E") == "require" {
		t.Fatal(what)
	}
	t.Skip(what)
}
