package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// needsNamespaces skips the test where this machine denies them.
func needsNamespaces(t *testing.T) {
	t.Helper()
	lookPath(t, "unshare")
	if out, err := exec.Command("unshare", "--user", "--net", "--map-current-user", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine denies namespaces: %s", out)
	}
}

// isolatedRun is what became of a program.
type isolatedRun struct {
	code           int
	stdout, stderr string
}

// runIsolated runs a program with --isolate=require. flags come before it.
func runIsolated(t *testing.T, h *installation, flags []string, program ...string) isolatedRun {
	t.Helper()
	args := append([]string{"run", "--isolate=require", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1", "--allow", "tickets:ticket.*"}, flags...)
	cmd := h.Command(t.Context(), append(append(args, "--"), program...)...)
	return runCommandLine(t, cmd)
}

func runCommandLine(t *testing.T, cmd *exec.Cmd) isolatedRun {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	r := isolatedRun{stdout: stdout.String(), stderr: stderr.String()}
	if exit != nil {
		r.code = exit.ExitCode()
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			r.code = 128 + int(status.Signal())
		}
	}
	return r
}

// withoutProxyVariables runs a script in which no variable names a proxy.
const withoutProxyVariables = `unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy; `

func TestIsolatedProgramsNeedNoProxyVariables(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "curl")
	h, _ := serve(t)

	r := runIsolated(t, h, nil, "sh", "-c", withoutProxyVariables+`curl -sS -m 20 -o /dev/null -w '%{http_code} %{remote_ip}' https://tickets.acme.example/tickets/7`)
	if r.code != 0 || !strings.HasPrefix(r.stdout, "200 ") {
		t.Errorf("curl without variables: code %d, output %q, errors %q; want 200", r.code, r.stdout, r.stderr)
	}
}

// TestI7IsolatedProgramsReachNothingElse tries to go around Byline.
func TestI7IsolatedProgramsReachNothingElse(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "curl")
	h, cfg := serve(t)

	for _, c := range []struct{ name, script, code, errors string }{
		{"an address", withoutProxyVariables + "curl -sS -m 20 http://192.0.2.1:8000/", "7", "refused|Couldn't connect"},
		{"a name without adapter", withoutProxyVariables + "curl -sS -m 20 https://other.example/", "6", "Could not resolve"},
		{"the proxy port itself", withoutProxyVariables + "curl -sS -m 20 http://" + cfg.Listen + "/", "7", "Couldn't connect|refused"},
		{"the control API", withoutProxyVariables + "curl -sS -m 20 http://" + cfg.Control.Listen + "/healthz", "7", "Couldn't connect|refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := runIsolated(t, h, nil, "sh", "-c", c.script+`; echo "code $?"`)
			if !strings.Contains(r.stdout, "code "+c.code+"\n") || !containsAny(r.stderr, c.errors) {
				t.Errorf("got output %q and errors %q; want code %s and %q", r.stdout, r.stderr, c.code, c.errors)
			}
		})
	}

	attempts := h.attempts(t)
	for _, want := range []string{"TCP 192.0.2.1:8000", "DNS other.example"} {
		if attempts[want] == 0 {
			t.Errorf("on record are %v, want %q", attempts, want)
		}
	}
}

// TestI7IsolatedProgramsReachNoSocketOutside connects to sockets by their path: of this
// test, of the control API, and of the program itself.
func TestI7IsolatedProgramsReachNoSocketOutside(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "python3")
	h, cfg := serve(t)

	path := h.Path("agent.sock")
	ln, err := net.Listen("unix", path)
	must(t, err)
	defer ln.Close()
	var accepted atomic.Int32
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_ = conn.Close()
		}
	}()
	abstract, err := net.Listen("unix", "@byline-test-"+filepath.Base(t.TempDir())+h.Path(""))
	must(t, err)
	defer abstract.Close()
	datagrams := h.Path("datagrams.sock")
	receiver, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: datagrams, Net: "unixgram"})
	must(t, err)
	defer receiver.Close()

	const connect = `import socket, sys, os
s = socket.socket(socket.AF_UNIX, socket.%s)
os.chdir(os.path.dirname(sys.argv[1]) or "/") if sys.argv[2] == "relative" else None
name = os.path.basename(sys.argv[1]) if sys.argv[2] == "relative" else sys.argv[1]
try:
	s.connect(name.replace("@", "\0"))
	print("connected")
except OSError as e:
	print("failed", e)
`
	link := h.Path("link.sock")
	must(t, os.Symlink(path, link))
	for _, c := range []struct {
		name, kind, path, how, want string
		flags                       []string
	}{
		{name: "path", kind: "SOCK_STREAM", path: path, want: "failed"},
		{name: "relative path", kind: "SOCK_STREAM", path: path, how: "relative", want: "failed"},
		{name: "symbolic link", kind: "SOCK_STREAM", path: link, want: "failed"},
		{name: "through /proc", kind: "SOCK_STREAM", path: "/proc/self/root" + path, want: "failed"},
		{name: "control API", kind: "SOCK_STREAM", path: cfg.Control.Socket, want: "failed"},
		{name: "abstract", kind: "SOCK_STREAM", path: abstract.Addr().String(), want: "failed"},
		{name: "excepted", kind: "SOCK_STREAM", path: path, want: "connected", flags: []string{"--isolate-socket", path}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := accepted.Load()
			r := runIsolated(t, h, c.flags, "python3", "-c", fmt.Sprintf(connect, c.kind), c.path, c.how)
			if !strings.HasPrefix(r.stdout, c.want) {
				t.Errorf("got %q, errors %q; want %s", r.stdout, r.stderr, c.want)
			}
			if wasAccepted := accepted.Load() > before; wasAccepted != (c.want == "connected") {
				t.Errorf("a connection was accepted: %v", wasAccepted)
			}
		})
	}

	r := runIsolated(t, h, nil, "python3", "-c", `import socket, sys
try:
	socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", sys.argv[1])
	print("sent")
except OSError as e:
	print("failed", e)
try:
	a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
	a.sendto(b"x", sys.argv[1])
	print("sent")
except OSError as e:
	print("failed", e)
`, datagrams)
	if strings.Contains(r.stdout, "sent") || strings.Count(r.stdout, "failed") != 2 {
		t.Errorf("datagrams: got %q, errors %q; want two failures", r.stdout, r.stderr)
	}
	if n := h.attempts(t)["UNIX "+path]; n != 2 {
		t.Errorf("%d attempts at %s are on record, want those by its path and by its relative path: %v", n, path, h.attempts(t))
	}

	t.Run("own sockets", func(t *testing.T) {
		r := runIsolated(t, h, nil, "python3", "-c", `import socket, os, tempfile, threading, stat
os.umask(0o027)
os.chdir(tempfile.mkdtemp())
for name in ["relative", os.getcwd() + "/absolute", "\0abstract"]:
	s = socket.socket(socket.AF_UNIX)
	s.bind(name)
	s.listen()
	c = socket.socket(socket.AF_UNIX)
	c.connect(name)
	peer, _ = s.accept()
	c.sendall(b"hello")
	print(peer.recv(5))
	if not name.startswith("\0"):
		print(oct(os.stat(name).st_mode))
s = socket.create_server(("127.0.0.1", 3000))
c = socket.create_connection(("localhost", 3000))
print("server", s.accept()[1][0])
try:
	socket.socket().bind(("127.0.0.1", 81))
except OSError as e:
	print(e)
`)
		want := "b'hello'\n0o140750\nb'hello'\n0o140750\nb'hello'\nserver 127.0.0.1\n[Errno 13] Permission denied\n"
		if r.stdout != want {
			t.Errorf("got %q, errors %q; want %q", r.stdout, r.stderr, want)
		}
	})
}

// containsAny reports whether text contains one of the alternatives.
func containsAny(text, alternatives string) bool {
	for a := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

// attempts returns how often each attempt to go around is on record.
func (h *installation) attempts(t *testing.T) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for r, err := range (audit.Folders{h.Path("data/audit")}).ReadAll(t.Context(), time.Time{}, nil) {
		must(t, err)
		if r.Code == "bypass_attempted" {
			counts[r.Method+" "+r.Host+r.Path] += r.Count
		}
	}
	return counts
}
