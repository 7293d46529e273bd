package isolate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// restriction is what a program is run under, besides files that are closed.
type restriction struct {
	rules func() []rule // of the filter of system calls
	drop  func() error  // takes rights from this thread and what it executes
}

// runProgramStage becomes the program, without any capability and under the filter of
// system calls. Whatever it cannot take away from itself keeps the program from running.
func runProgramStage(parent channel, under restriction) int {
	runtime.LockOSThread() // capabilities and filter belong to the thread that executes the program

	code, err := becomeProgram(parent, under)
	_ = parent.send(message{Kind: kindFailed, Code: code, Error: err.Error()})
	return code
}

// becomeProgram returns only if it fails.
func becomeProgram(parent channel, under restriction) (code int, err error) {
	text, err := io.ReadAll(io.NewSectionReader(os.NewFile(4, "program"), 0, 64<<20))
	if err != nil {
		return 126, err
	}
	var p Program
	if err := json.Unmarshal(text, &p); err != nil || len(p.Args) == 0 {
		return 126, errProtocol
	}

	os.Clearenv()
	for _, pair := range p.Env {
		if name, value, ok := cutPair(pair); ok {
			_ = os.Setenv(name, value)
		}
	}
	path, err := exec.LookPath(p.Args[0])
	if err != nil {
		return CodeOfStart(err), err
	}
	if err := os.Chdir(p.Dir); err != nil {
		return 126, err
	}

	// Files that this process inherited, from whoever started byline, close.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 126, os.NewSyscallError("close_range", err)
	}
	if err := under.drop(); err != nil {
		return 126, err
	}
	if err := installFilter(parent, under.rules()); err != nil {
		return 126, fmt.Errorf("install the filter of system calls: %w", err)
	}
	err = syscall.Exec(path, p.Args, os.Environ()) // of a variable that is there twice the last one counts
	return CodeOfStart(err), &os.PathError{Op: "exec", Path: path, Err: err}
}

// cutPair splits NAME=VALUE.
func cutPair(pair string) (name, value string, ok bool) {
	for i := range len(pair) {
		if pair[i] == '=' && i > 0 {
			return pair[:i], pair[i+1:], true
		}
	}
	return "", "", false
}

// CodeOfStart returns the exit code that shells have for a program that does not start.
func CodeOfStart(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// restrictSupervised takes away what a program can do without namespaces: all capabilities,
// which only root has, and what Landlock restricts. The program dies with the supervisor.
func restrictSupervised() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}

	drop := dropCapabilities
	if os.Geteuid() != 0 {
		drop = forbidNewPrivileges
	}
	if err := drop(); err != nil {
		return err
	}
	return restrictByLandlock()
}

// forbidNewPrivileges keeps this thread, and what it executes, from getting capabilities
// or another user.
func forbidNewPrivileges() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}

// Bits of PR_SET_SECUREBITS that x/sys/unix does not name, and their locks: user 0 gets
// no capabilities by executing a file, and nobody raises ambient ones.
const (
	secureNoRoot          = 1<<0 | 1<<1
	secureNoSetuidFixup   = 1<<2 | 1<<3
	secureKeepCapsLocked  = 1 << 5
	secureNoAmbientRaises = 1<<6 | 1<<7
)

// dropCapabilities takes every capability away from this thread and from what it
// executes, for good.
func dropCapabilities() error {
	prctl := func(what string, option int, a, b uintptr) error {
		if err := unix.Prctl(option, a, b, 0, 0); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	if err := prctl("clear ambient capabilities", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return err
	}
	err := prctl("lock the secure bits", unix.PR_SET_SECUREBITS, secureNoRoot|secureNoSetuidFixup|secureKeepCapsLocked|secureNoAmbientRaises, 0)
	if err != nil {
		return err
	}
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, syscall.EINVAL) { // the kernel knows no more
			break
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}

	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	return prctl("set no_new_privs", unix.PR_SET_NO_NEW_PRIVS, 1, 0)
}
