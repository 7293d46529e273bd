package isolate

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What a filter answers.
const (
	answerAllow  = unix.SECCOMP_RET_ALLOW
	answerNotify = unix.SECCOMP_RET_USER_NOTIF
	answerKill   = unix.SECCOMP_RET_KILL_PROCESS
)

func fail(errno syscall.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// condition is one on an argument of a system call, of which the kernel reads 32 bits.
// The upper bits, with which a comparison could be deceived, are not looked at.
type condition struct {
	argument uint32
	mask     uint32
	value    uint32
}

func equals(argument, value uint32) condition { return condition{argument, ^uint32(0), value} }

// isSocketType is the condition that an argument is a type of socket, whatever its flags.
func isSocketType(argument, value uint32) condition {
	return condition{argument, ^uint32(unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK), value}
}

// rule gives the answer to a system call that meets all conditions. The first rule that
// applies decides.
type rule struct {
	number     uint32
	conditions []condition
	answer     uint32
}

// allowedSockets are the sockets that a program may create: those whose reach ends with a
// network namespace, and sockets of the file system, which callWatcher connects.
// Datagrams to a path name their destination in memory, where no filter sees it.
func allowedSockets() []rule {
	var rules []rule
	allow := func(number uint32, conditions ...condition) {
		rules = append(rules, rule{number, conditions, answerAllow})
	}
	for _, kind := range []uint32{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
		allow(unix.SYS_SOCKET, equals(0, unix.AF_UNIX), isSocketType(1, kind))
		allow(unix.SYS_SOCKETPAIR, equals(0, unix.AF_UNIX), isSocketType(1, kind))
	}
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		for _, protocol := range []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
			allow(unix.SYS_SOCKET, equals(0, family), isSocketType(1, unix.SOCK_STREAM), equals(2, protocol))
		}
		for _, protocol := range []uint32{0, unix.IPPROTO_UDP} {
			allow(unix.SYS_SOCKET, equals(0, family), isSocketType(1, unix.SOCK_DGRAM), equals(2, protocol))
		}
	}
	for _, kind := range []uint32{unix.SOCK_RAW, unix.SOCK_DGRAM} { // libraries list interfaces by it
		allow(unix.SYS_SOCKET, equals(0, unix.AF_NETLINK), isSocketType(1, kind), equals(2, unix.NETLINK_ROUTE))
	}
	return rules
}

// rules returns those of the filter. What they do not name is allowed.
func rules() []rule {
	all := allowedSockets()
	add := func(answer uint32, numbers ...uint32) {
		for _, number := range numbers {
			all = append(all, rule{number, nil, answer})
		}
	}

	// TIOCSTI types into the terminal, and TIOCLINUX pastes into it: whoever reads it next
	// is a shell outside.
	for _, request := range []uint32{unix.TIOCSTI, tiocLinux} {
		all = append(all, rule{unix.SYS_IOCTL, []condition{equals(1, request)}, fail(unix.EPERM)})
	}
	for _, flag := range []uint32{unix.CLONE_NEWUSER, unix.CLONE_NEWNET, unix.CLONE_NEWNS, unix.CLONE_NEWPID, unix.CLONE_NEWIPC,
		unix.CLONE_NEWUTS, unix.CLONE_NEWCGROUP} {
		all = append(all, rule{unix.SYS_CLONE, []condition{{0, flag, flag}}, fail(unix.EPERM)})
	}

	add(fail(unix.EAFNOSUPPORT), unix.SYS_SOCKET, unix.SYS_SOCKETPAIR)
	add(answerNotify, unix.SYS_BIND, unix.SYS_CONNECT)

	// clone3 has its flags in memory; libraries use clone where it is missing. io_uring
	// makes system calls that no filter sees.
	add(fail(unix.ENOSYS), unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER)
	add(fail(unix.EPERM),
		unix.SYS_SETNS, unix.SYS_UNSHARE, unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT,
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG,
		unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_BY_HANDLE_AT,
		unix.SYS_PIDFD_GETFD, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
		unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_VHANGUP)
	return all
}

// tiocLinux is TIOCLINUX, which x/sys/unix does not name.
const tiocLinux = 0x541c

// Offsets in struct seccomp_data.
const (
	offsetNumber       = 0
	offsetArchitecture = 4
	offsetArguments    = 16 // of 8 bytes each; the lower half first
)

// assemble returns the program of the rules. A system call of another architecture,
// which the same processor may offer, ends the program that makes it: its numbers mean
// something else.
func assemble(rules []rule) []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArchitecture, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		bpf.RetConstant{Val: answerKill},
		bpf.LoadAbsolute{Off: offsetNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: firstOtherNumber, SkipTrue: 1},
		bpf.RetConstant{Val: answerKill},
	}
	for _, r := range rules {
		var checks []bpf.Instruction
		for i, c := range r.conditions {
			left := 3*(len(r.conditions)-1-i) + 1 // instructions up to the next rule
			checks = append(checks,
				bpf.LoadAbsolute{Off: offsetArguments + 8*c.argument, Size: 4},
				bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.mask},
				bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.value, SkipFalse: uint8(left)})
		}
		program = append(program,
			bpf.LoadAbsolute{Off: offsetNumber, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: r.number, SkipFalse: uint8(len(checks) + 1)})
		program = append(append(program, checks...), bpf.RetConstant{Val: r.answer})
	}
	return append(program, bpf.RetConstant{Val: answerAllow})
}

// load installs the filter for this thread and what it executes. With listen it returns
// the file that the calls come to whose answer is answerNotify.
func load(rules []rule, listen bool) (*os.File, error) {
	raw, err := bpf.Assemble(assemble(rules))
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}

	flags := uintptr(0)
	if listen {
		// A signal must not break off a call that somebody else is making.
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	if errno == unix.EINVAL && listen { // before Linux 5.19
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
		fd, _, errno = unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	}
	if errno != 0 {
		return nil, fmt.Errorf("seccomp: %w", errno)
	}
	if !listen {
		return nil, nil
	}
	return os.NewFile(fd, "filter"), nil
}
