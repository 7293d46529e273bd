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

// runProgramStage becomes the program, without any capability and under the filter of
// system calls. Whatever it cannot take away from itself keeps the program from running.
func runProgramStage(parent channel) int {
	runtime.LockOSThread() // capabilities and filter belong to the thread that executes the program

	code, err := becomeProgram(parent)
	_ = parent.send(message{Kind: kindFailed, Code: code, Error: err.Error()})
	return code
}

// becomeProgram returns only if it fails.
func becomeProgram(parent channel) (code int, err error) {
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
	if err := dropCapabilities(); err != nil {
		return 126, err
	}
	if err := installFilter(parent); err != nil {
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
