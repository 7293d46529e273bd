package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestI7IsolatedProgramsCannotLeave runs attacks in Python, each in its own process, which
// raise an error if they fail.
func TestI7IsolatedProgramsCannotLeave(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "python3")
	h, _ := serve(t)

	outside := exec.CommandContext(t.Context(), "sleep", "300")
	must(t, outside.Start())
	t.Cleanup(func() {
		_ = outside.Process.Kill()
		_ = outside.Wait()
	})
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	defer udp.Close()

	const prelude = `
import ctypes, os, socket, sys, struct, fcntl, errno, signal, subprocess
libc = ctypes.CDLL(None, use_errno=True)
PID = int(sys.argv[1])
UDP = int(sys.argv[2])
def syscall(n, *a):
	r = libc.syscall(ctypes.c_long(n), *[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
	if r < 0:
		raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
	return r
import json, time, mmap, threading
for name, body in json.loads(sys.argv[3]).items():
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
		"raw socket":                    `socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)`,
		"ping socket":                   `socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)`,
		"SCTP":                          `socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)`,
		"packet socket":                 `socket.socket(socket.AF_PACKET, socket.SOCK_RAW)`,
		"vsock":                         `socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)`,
		"vsock with upper bits":         `syscall(41, (1 << 32) | 40, 1, 0)`,
		"netlink other than routes":     `socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)`,
		"bluetooth":                     `socket.socket(31, socket.SOCK_RAW, 1)`,
		"AF_ALG":                        `socket.socket(38, socket.SOCK_SEQPACKET, 0)`,
		"UDP to another address":        `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(("192.0.2.9", 443)); s.send(b"x"); s.recv(9)`,
		"UDP over IPv6":                 `s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.settimeout(5); s.connect(("2001:db8::9", 443)); s.send(b"x"); s.recv(9)`,
		"UDP to loopback outside":       `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(("127.0.0.1", UDP)); s.send(b"x"); s.recv(9)`,
		"DNS over TLS":                  `socket.create_connection(("192.0.2.9", 853), 5)`,
		"TCP over IPv6":                 `socket.create_connection(("2001:db8::9", 25), 5)`,
		"SMTP":                          `socket.create_connection(("192.0.2.9", 25), 5)`,
		"new user namespace":            `syscall(272, 0x10000000)`,
		"clone with a user namespace":   `syscall(56, 0x10000000 | 17, 0, 0, 0, 0)`,
		"clone3":                        `syscall(435, ctypes.create_string_buffer(88), 88)`,
		"setns":                         `fd = os.open("/proc/self/ns/net", os.O_RDONLY); syscall(308, fd, 0)`,
		"network namespace of outside":  `os.open("/proc/%d/ns/net" % PID, os.O_RDONLY)`,
		"root of outside":               `os.listdir("/proc/%d/root" % PID)`,
		"root of process 1":             `os.listdir("/proc/1/root")`,
		"files of process 1":            `open("/proc/1/fd/3")`,
		"memory of process 1":           `open("/proc/1/mem", "rb").read(1)`,
		"signal to process 1":           `os.kill(1, signal.SIGKILL); time.sleep(0.2); raise Exception("still here")`,
		"signal to outside":             `os.kill(PID, signal.SIGKILL)`,
		"ptrace outside":                `syscall(101, 16, PID, 0, 0)`,
		"ptrace process 1":              `syscall(101, 16, 1, 0, 0)`,
		"process_vm_readv":              `syscall(310, 1, ctypes.create_string_buffer(16), 1, ctypes.create_string_buffer(16), 1, 0)`,
		"pidfd_getfd":                   `syscall(438, syscall(434, 1, 0), 0, 0)`,
		"io_uring":                      `syscall(425, 8, ctypes.create_string_buffer(120))`,
		"mount":                         `syscall(165, ctypes.c_char_p(b"none"), ctypes.c_char_p(b"/mnt"), ctypes.c_char_p(b"tmpfs"), 0, 0)`,
		"unmount of resolv.conf":        `syscall(166, ctypes.c_char_p(b"/etc/resolv.conf"), 2)`,
		"write resolv.conf":             `open("/etc/resolv.conf", "w")`,
		"set core_pattern":              `open("/proc/sys/kernel/core_pattern", "w")`,
		"write to /sys":                 `open("/sys/kernel/uevent_helper", "w") if os.path.exists("/sys/kernel/uevent_helper") else open("/sys/power/state", "w")`,
		"sysrq":                         `open("/proc/sysrq-trigger", "w")`,
		"block devices and tunnels":     `assert any(os.path.exists(p) for p in ["/dev/sda", "/dev/vda", "/dev/mem", "/dev/kmsg", "/dev/net/tun", "/dev/vsock", "/dev/vhost-vsock", "/dev/kvm", "/dev/fuse"])`,
		"add an address":                `s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); s.send(struct.pack("=IHHII", 24, 20, 0x605, 1, 0) + struct.pack("=BBBBI", 2, 32, 0, 0, 1)); d = s.recv(999); e = struct.unpack("=i", d[16:20])[0]; assert e == 0, os.strerror(-e)`,
		"privileged port":               `socket.socket().bind(("0.0.0.0", 25))`,
		"type into the terminal":        `fcntl.ioctl(0, 0x5412, b"x")`,
		"type with upper bits":          `syscall(16, 0, (1 << 32) | 0x5412, ctypes.c_char_p(b"x"))`,
		"inherited file":                `os.fstat(7)`,
		"capabilities":                  `assert any(int(l.split()[1], 16) for l in open("/proc/self/status") if l.startswith("Cap"))`,
		"privileges from a setuid file": `assert "NoNewPrivs:\t0" in open("/proc/self/status").read()`,
		"bpf":                           `syscall(321, 0, ctypes.create_string_buffer(64), 64)`,
		"keyring":                       `syscall(250, 0, -3, 1)`,
		"shared memory of outside":      `open("/dev/shm/" + os.environ["SHARED"])`,
		"message queues of outside":     `q = libc.mq_open(b"/" + os.environ["SHARED"].encode(), 0); assert q >= 0, "not there"`,
		"file in /dev":                  `open("/dev/left", "w")`,
		"chroot":                        `os.chroot("/tmp")`,
		"file by handle":                `syscall(304, -100, ctypes.create_string_buffer(64), 0)`,
		"other architecture": `
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write(bytes.fromhex("53b867010000" + "bb28000000" + "b901000000" + "31d2" + "cd80" + "5bc3")) # socket(AF_VSOCK) as i386
pid = os.fork()
if pid == 0:
	f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
	os._exit(0 if f() >= 0 else 1)
assert os.waitpid(pid, 0)[1] == 0, "it ended"`,
		// The address changes from that of a socket inside to that of one outside while the
		// call is checked.
		"address that changes": `
inside = "/tmp/inside-%d.sock" % os.getpid()
l = socket.socket(socket.AF_UNIX); l.bind(inside); l.listen(1000)
outside = os.environ["OUTSIDE"]
buf = ctypes.create_string_buffer(110)
a, b = (struct.pack("H108s", 1, p.encode()) for p in (inside, outside))
stop = []
def swap():
	while not stop:
		ctypes.memmove(buf, a, 110); ctypes.memmove(buf, b, 110)
t = threading.Thread(target=swap, daemon=True); t.start()
reached = 0
for _ in range(300):
	s = socket.socket(socket.AF_UNIX)
	libc.connect(s.fileno(), buf, 110)
	try:
		reached += s.getpeername() == outside
	except OSError: pass
stop.append(1); os.unlink(inside)
assert reached, "never connected outside"`,
	}

	shared := fmt.Sprintf("byline-test-%d", os.Getpid())
	must(t, os.WriteFile("/dev/shm/"+shared, []byte("x"), 0o600))
	defer os.Remove("/dev/shm/" + shared)
	createMessageQueue(t, shared)
	t.Setenv("SHARED", shared)
	path := h.Path("outside.sock")
	ln, err := net.Listen("unix", path)
	must(t, err)
	defer ln.Close()
	t.Setenv("OUTSIDE", path)
	text, err := json.Marshal(attacks)
	must(t, err)
	r := runIsolated(t, h, nil, "python3", "-c", prelude, fmt.Sprint(outside.Process.Pid), fmt.Sprint(udp.LocalAddr().(*net.UDPAddr).Port), string(text))
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
	if err := outside.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process outside is gone: %v", err)
	}

	attempts := h.attempts(t)
	for _, want := range []string{"UDP 192.0.2.9:443", "UDP [2001:db8::9]:443", "TCP 192.0.2.9:853", "TCP [2001:db8::9]:25", "TCP 192.0.2.9:25"} {
		if attempts[want] == 0 {
			t.Errorf("%q is not on record: %v", want, attempts)
		}
	}
}

// createMessageQueue makes a message queue of POSIX, which is gone after the test.
func createMessageQueue(t *testing.T, name string) {
	t.Helper()
	text, err := unix.BytePtrFromString(name)
	must(t, err)
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), unix.O_CREAT|unix.O_RDWR, 0o600, 0, 0, 0)
	if errno != 0 {
		t.Fatalf("create a message queue: %v", errno)
	}
	t.Cleanup(func() {
		_ = unix.Close(int(fd))
		_, _, _ = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(text)), 0, 0)
	})
}
