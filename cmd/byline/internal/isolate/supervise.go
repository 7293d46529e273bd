package isolate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StartSupervised is [Start] where namespaces are denied. The program shares the network of
// this process and may connect to the given port of the loopback interface and to ports
// that it listens on itself: a supervisor makes its calls of bind, connect and listen, and
// a filter of system calls and Landlock keep it from making its own. It has neither DNS
// nor UDP, so it must be told to use a proxy. Listen and ServeDNS must not be called.
//
// It leaves open what Start closes: files that processes outside read too, such as pipes
// and shared memory, and before Linux 6.12 signals to processes of the same user.
func StartSupervised(port int) (*Sandbox, error) {
	here, there, err := newChannel()
	if err != nil {
		return nil, err
	}
	defer there.close()

	s := newSandbox(here)
	s.port = port
	if err := s.launch(there, stageSupervisor); err != nil {
		here.close()
		return nil, err
	}
	m, files, err := here.receive()
	closeAll(files)
	if err == nil && m.Kind == kindDenied {
		err = &DeniedError{m.What, errors.New(m.Error)}
	}
	if err == nil && m.Kind != kindReady {
		err = errProtocol
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.received = make(chan struct{})
	go s.receive()
	return s, nil
}

// runSupervisor starts the program and makes its calls. Its end is that of the program.
func runSupervisor(caller channel) int {
	runtime.LockOSThread() // the program dies with the thread that started it
	discardSignals()
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return deny(caller, "take over orphans", err)
	}
	if err := checkFilters(); err != nil {
		return deny(caller, "install a filter of system calls", err)
	}
	if err := caller.send(message{Kind: kindReady}); err != nil {
		return 1
	}

	i := &initProcess{caller: caller, stage: stageSupervised}
	i.serve()
	killDescendants()
	return 1
}

// checkFilters fails where a filter cannot notify another process.
func checkFilters() error {
	action := uint32(unix.SECCOMP_RET_USER_NOTIF)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}

// killDescendants ends all processes that the program left, which are children of this one.
func killDescendants() {
	for range 100 {
		children, _ := filepath.Glob("/proc/self/task/*/children")
		found := false
		for _, path := range children {
			text, _ := os.ReadFile(path)
			for word := range strings.FieldsSeq(string(text)) {
				pid, err := strconv.Atoi(word)
				if err == nil {
					found = true
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		if !found {
			return
		}
		var status syscall.WaitStatus
		_, _ = syscall.Wait4(-1, &status, 0, nil)
	}
}

// supervisedRules are those for a program in the network of this process.
func supervisedRules() []rule {
	var all []rule
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		all = append(all, rule{unix.SYS_SOCKET, []condition{equals(0, family), isSocketType(1, unix.SOCK_DGRAM)}, fail(unix.EAFNOSUPPORT)})
	}

	// TCP Fast Open connects without a call of connect.
	fastOpen := func(number, argument uint32) {
		all = append(all, rule{number, []condition{{argument, unix.MSG_FASTOPEN, unix.MSG_FASTOPEN}}, fail(unix.EOPNOTSUPP)})
	}
	fastOpen(unix.SYS_SENDTO, 3)
	fastOpen(unix.SYS_SENDMSG, 2)
	fastOpen(unix.SYS_SENDMMSG, 3)

	// listen gives a port to a socket that has none.
	all = append(all, rule{unix.SYS_LISTEN, nil, answerNotify})
	all = append(all, rule{unix.SYS_PTRACE, nil, fail(unix.EPERM)})
	return append(all, rules()...)
}

// restrictByLandlock puts this thread, and what it executes, into a domain (Landlock, since
// Linux 5.13) that may neither trace processes outside nor, where the kernel knows of it,
// use TCP, signal processes outside or reach their abstract sockets. A kernel without
// Landlock restricts nothing.
func restrictByLandlock() error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return nil
	}

	// A rule set must handle something: no program makes block devices.
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK}
	size := uintptr(8)
	if version >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = 16
	}
	if version >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size = 24
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(fd))
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}
