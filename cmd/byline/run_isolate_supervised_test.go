package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// withoutNamespaces returns the command in a user namespace in which no more can be made,
// as in a container or on a machine that denies them. It keeps the user.
func withoutNamespaces(t *testing.T, h *installation, args ...string) *exec.Cmd {
	t.Helper()
	inner := h.Command(t.Context(), args...)
	deny := []string{"unshare", "--user", "--map-root-user", "sh", "-c", `echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"`, "sh"}
	inner.Path, inner.Args = lookPath(t, "unshare"), append(deny, inner.Args...)
	return inner
}

func runSupervised(t *testing.T, h *installation, program ...string) isolatedRun {
	t.Helper()
	args := []string{"run", "--isolate=best", "--agent", "agent/test", "--sponsor", "alice", "--purpose", "INC-1", "--allow", "tickets:ticket.*", "--"}
	return runCommandLine(t, withoutNamespaces(t, h, append(args, program...)...))
}

// TestBestIsolationFallsBackToSupervision: where namespaces are denied, the program goes on
// under a supervisor, and is told what that leaves open.
func TestBestIsolationFallsBackToSupervision(t *testing.T) {
	needsNamespaces(t)
	h, _ := serve(t)

	r := runSupervised(t, h, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://tickets.acme.example/tickets/7")
	if r.code != 0 || r.stdout != "200" {
		t.Errorf("through the proxy: code %d, output %q, errors %q; want 200", r.code, r.stdout, r.stderr)
	}
	for _, want := range []string{"max_user_namespaces", "supervised instead", "Still open"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("the warnings do not say %q: %s", want, r.stderr)
		}
	}

	for script, want := range map[string]int{"exit 7": 7, "kill -TERM $$": 128 + 15} {
		if r := runSupervised(t, h, "sh", "-c", script); r.code != want {
			t.Errorf("%s: got code %d, errors %q, want %d", script, r.code, r.stderr, want)
		}
	}
	if r := runSupervised(t, h, "/no/such/program"); r.code != 127 {
		t.Errorf("a program that does not exist: got code %d, want 127", r.code)
	}

	// Where namespaces can be made, best is require.
	args := strings.Fields("run --isolate=best --agent agent/test --sponsor alice --purpose INC-1 --allow tickets:ticket.* -- cat /etc/resolv.conf")
	r = runCommandLine(t, h.Command(t.Context(), args...))
	if r.code != 0 || !strings.Contains(r.stdout, "only Byline answers") || r.stderr != "" {
		t.Errorf("with namespaces: code %d, output %q, errors %q", r.code, r.stdout, r.stderr)
	}
}

// TestSupervisedProgramsReachTheirOwnServers: development servers and drivers of browsers
// listen on ports of this machine.
func TestSupervisedProgramsReachTheirOwnServers(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "python3")
	h, _ := serve(t)

	const program = `
import os, socket, tempfile
def echo(listener, connect):
	if os.fork() == 0:
		c, _ = listener.accept(); c.sendall(b"hello"); os._exit(0)
	s = connect(); s.settimeout(5); assert s.recv(9) == b"hello"; os.wait()
for host in ("127.0.0.1", "0.0.0.0"):
	l = socket.socket(); l.bind((host, 0)); l.listen()
	echo(l, lambda: socket.create_connection(("127.0.0.1", l.getsockname()[1])))
	assert l.getsockname()[0] == "127.0.0.1", l.getsockname()
l = socket.socket(); l.listen()
assert l.getsockname()[0] == "127.0.0.1", l.getsockname()
echo(l, lambda: socket.create_connection(("127.0.0.1", l.getsockname()[1])))
l = socket.socket(socket.AF_INET6); l.bind(("::", 0)); l.listen()
echo(l, lambda: socket.create_connection(("127.0.0.1", l.getsockname()[1])))
l = socket.socket(socket.AF_INET6); l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1); l.bind(("::", 0)); l.listen()
assert l.getsockname()[0] == "::1", l.getsockname()
for name in ("\0of-the-test-%d" % os.getpid(), tempfile.mktemp()):
	l = socket.socket(socket.AF_UNIX); l.bind(name); l.listen()
	def connect():
		s = socket.socket(socket.AF_UNIX); s.connect(name); return s
	echo(l, connect)
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
print("all reached")
`
	r := runSupervised(t, h, "python3", "-c", program)
	if r.code != 0 || r.stdout != "all reached\n" {
		t.Errorf("code %d, output %q, errors %q", r.code, r.stdout, r.stderr)
	}
}

// TestI7SupervisedProgramsCannotLeave runs attacks in Python, each in its own process.
func TestI7SupervisedProgramsCannotLeave(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "python3")
	h, _ := serve(t)

	outside, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer outside.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@byline-test-%d", outside.Addr().(*net.TCPAddr).Port))
	must(t, err)
	defer abstract.Close()
	file, err := net.Listen("unix", h.Path("outside.sock"))
	must(t, err)
	defer file.Close()
	victim := exec.CommandContext(t.Context(), "sleep", "300")
	must(t, victim.Start())
	defer func() {
		_ = victim.Process.Kill()
		_ = victim.Wait()
	}()

	const prelude = `
import ctypes, json, os, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
PORT, PID, FILE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
def syscall(n, *a):
	r = libc.syscall(ctypes.c_long(n), *[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
	if r < 0:
		raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
	return r
for name, body in json.loads(sys.argv[4]).items():
	sys.stdout.flush()
	if os.fork() == 0:
		try:
			exec(body)
			print(name + ": FREE", flush=True)
		except Exception as e:
			print(name + ": denied:", e, flush=True)
		os._exit(0)
	os.wait()
`
	attacks := map[string]string{
		"TCP":                       `socket.create_connection(("192.0.2.9", 25), 5)`,
		"TCP over IPv6":             `socket.create_connection(("2001:db8::9", 25), 5)`,
		"a port of this machine":    `socket.create_connection(("127.0.0.1", PORT), 5)`,
		"the same as ::ffff":        `s = socket.socket(socket.AF_INET6); s.connect(("::ffff:127.0.0.1", PORT))`,
		"the same as 0.0.0.0":       `socket.create_connection(("0.0.0.0", PORT), 5)`,
		"the control API":           `socket.create_connection(("127.0.0.1", 8081), 5)`,
		"non-blocking":              `s = socket.socket(); s.setblocking(False); e = s.connect_ex(("127.0.0.1", PORT)); assert e in (0, 115), os.strerror(e)`,
		"fast open":                 `s = socket.socket(); s.sendto(b"x", 0x20000000, ("127.0.0.1", PORT))`,
		"fast open by sendmsg":      `s = socket.socket(); s.sendmsg([b"x"], [], 0x20000000, ("127.0.0.1", PORT))`,
		"MPTCP":                     `s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.connect(("127.0.0.1", PORT))`,
		"UDP":                       `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", ("192.0.2.9", 53))`,
		"UDP over IPv6":             `s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b"x", ("2001:db8::9", 53))`,
		"raw socket":                `socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)`,
		"packet socket":             `socket.socket(socket.AF_PACKET, socket.SOCK_RAW)`,
		"vsock":                     `socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)`,
		"an abstract socket":        `s = socket.socket(socket.AF_UNIX); s.connect("\0byline-test-%d" % PORT)`,
		"a socket of a file":        `s = socket.socket(socket.AF_UNIX); s.connect(FILE)`,
		"a link to it":              `os.symlink(FILE, "/tmp/link-%d" % os.getpid()); s = socket.socket(socket.AF_UNIX); s.connect("/tmp/link-%d" % os.getpid())`,
		"a server for others":       `s = socket.socket(); s.bind(("192.0.2.1", 0))`,
		"io_uring":                  `syscall(425, 8, ctypes.create_string_buffer(120))`,
		"ptrace":                    `syscall(101, 16, PID, 0, 0)`,
		"memory of another process": `os.open("/proc/%d/mem" % PID, os.O_RDONLY)`,
		"its environment":           `open("/proc/%d/environ" % PID, "rb").read()`,
		"the supervisor's memory":   `status = open("/proc/%d/status" % os.getppid()).read(); os.open("/proc/%d/mem" % int(status.split("PPid:")[1].split()[0]), os.O_RDONLY)`,
		"process_vm_readv":          `syscall(310, PID, ctypes.create_string_buffer(16), 1, ctypes.create_string_buffer(16), 1, 0)`,
		"pidfd_getfd":               `syscall(438, syscall(434, PID, 0), 0, 0)`,
		"a signal":                  `os.kill(PID, signal.SIGTERM)`,
		"a new namespace":           `syscall(272, 0x40000000)`,
		"another namespace":         `syscall(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)`,
		"capabilities":              `assert any(int(l.split()[1], 16) for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm")))`,
		"an address that changes": `
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(1000)
a, b = (struct.pack("=HHI8x", 2, socket.htons(p), 0x0100007f) for p in (l.getsockname()[1], PORT))
buf = ctypes.create_string_buffer(16)
stop = []
def swap():
	while not stop:
		ctypes.memmove(buf, a, 16); ctypes.memmove(buf, b, 16)
threading.Thread(target=swap, daemon=True).start()
reached = 0
for _ in range(300):
	s = socket.socket()
	libc.connect(s.fileno(), buf, 16)
	try:
		reached += s.getpeername()[1] == PORT
	except OSError: pass
	s.close()
stop.append(1)
assert reached, "never connected outside"`,
	}
	text, err := json.Marshal(attacks)
	must(t, err)
	r := runSupervised(t, h, "python3", "-c", prelude, fmt.Sprint(outside.Addr().(*net.TCPAddr).Port), fmt.Sprint(victim.Process.Pid), h.Path("outside.sock"), string(text))
	for name := range attacks {
		_, result, _ := strings.Cut(r.stdout, name+": ")
		result, _, _ = strings.Cut(result, "\n")
		if !strings.HasPrefix(result, "denied:") {
			t.Errorf("%s: got %q, want that it is denied", name, result)
		}
		t.Logf("%s: %s", name, result)
	}
	if t.Failed() {
		t.Logf("errors: %s", r.stderr)
	}
	if err := victim.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process outside is gone: %v", err)
	}
	attempts := h.attempts(t)
	for _, want := range []string{"TCP 192.0.2.9:25", "TCP [2001:db8::9]:25", "UNIX " + h.Path("outside.sock")} {
		if attempts[want] == 0 {
			t.Errorf("%q is not on record: %v", want, attempts)
		}
	}
}
