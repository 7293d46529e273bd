package isolate

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What a filter answers.
const (
	allow        = seccomp.ActionAllow
	notify       = seccomp.Action(0x7fc00000) // SECCOMP_RET_USER_NOTIF
	returnErrno  = 0x00050000                 // SECCOMP_RET_ERRNO; the number in the low bits
	killsProcess = 0x80000000                 // SECCOMP_RET_KILL_PROCESS
)

func fail(errno syscall.Errno) seccomp.Action { return seccomp.Action(returnErrno | uint32(errno)) }

// lowEquals are the conditions under which the kernel, which reads 32 bits of an
// argument, reads value. Comparing all 64 bits could be deceived by the upper ones.
func lowEquals(argument, value uint32) seccomp.ArgumentConditions {
	all := seccomp.ArgumentConditions{{Argument: argument, Operation: seccomp.BitsNotSet, Value: uint64(^value)}}
	for bit := uint32(1); bit != 0; bit <<= 1 {
		if value&bit != 0 {
			all = append(all, seccomp.Condition{Argument: argument, Operation: seccomp.BitsSet, Value: uint64(bit)})
		}
	}
	return all
}

// typeEquals are the conditions under which an argument is this type of socket, whatever
// its flags SOCK_CLOEXEC and SOCK_NONBLOCK.
func typeEquals(argument, value uint32) seccomp.ArgumentConditions {
	all := seccomp.ArgumentConditions{{Argument: argument, Operation: seccomp.BitsNotSet, Value: uint64(^(value | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK))}}
	for bit := uint32(1); bit < 16; bit <<= 1 {
		if value&bit != 0 {
			all = append(all, seccomp.Condition{Argument: argument, Operation: seccomp.BitsSet, Value: uint64(bit)})
		}
	}
	return all
}

// call is a system call whose arguments meet all conditions.
func call(name string, conditions ...seccomp.ArgumentConditions) seccomp.NameWithConditions {
	c := seccomp.NameWithConditions{Name: name}
	for _, more := range conditions {
		c.Conditions = append(c.Conditions, more...)
	}
	return c
}

// sockets are the sockets that a program may create: those whose reach ends with a
// network namespace, and sockets of the file system that [connects] watches. Datagrams
// to a path name their destination in memory, where no filter sees it.
func sockets() []seccomp.NameWithConditions {
	var all []seccomp.NameWithConditions
	for _, kind := range []uint32{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
		all = append(all,
			call("socket", lowEquals(0, unix.AF_UNIX), typeEquals(1, kind)),
			call("socketpair", lowEquals(0, unix.AF_UNIX), typeEquals(1, kind)))
	}
	for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
		for _, protocol := range []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
			all = append(all, call("socket", lowEquals(0, family), typeEquals(1, unix.SOCK_STREAM), lowEquals(2, protocol)))
		}
		for _, protocol := range []uint32{0, unix.IPPROTO_UDP} {
			all = append(all, call("socket", lowEquals(0, family), typeEquals(1, unix.SOCK_DGRAM), lowEquals(2, protocol)))
		}
	}
	for _, kind := range []uint32{unix.SOCK_RAW, unix.SOCK_DGRAM} { // libraries list interfaces by it
		all = append(all, call("socket", lowEquals(0, unix.AF_NETLINK), typeEquals(1, kind), lowEquals(2, unix.NETLINK_ROUTE)))
	}
	return all
}

// namespaceFlags make clone create namespaces.
const namespaceFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// filterOf returns the filter. connect is what becomes of the system call of that name.
func filterOf(connect seccomp.Action) seccomp.Policy {
	return seccomp.Policy{
		DefaultAction: allow,
		Syscalls: []seccomp.SyscallGroup{
			{Action: allow, NamesWithCondtions: sockets()},
			{Action: fail(unix.EAFNOSUPPORT), Names: []string{"socket", "socketpair"}},
			{Action: connect, Names: []string{"connect"}},

			// clone3 has its flags in memory; libraries use clone where it is missing.
			// io_uring makes system calls that no filter sees.
			{Action: fail(unix.ENOSYS), Names: []string{"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"}},

			// TIOCSTI types into the terminal, and TIOCLINUX pastes into it: whoever reads it
			// next is a shell outside.
			{Action: fail(unix.EPERM), NamesWithCondtions: []seccomp.NameWithConditions{
				call("ioctl", lowEquals(1, unix.TIOCSTI)),
				call("ioctl", lowEquals(1, tiocLinux)),
				call("clone", seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: namespaceFlags}}),
			}},
			{Action: fail(unix.EPERM), Names: []string{
				"setns", "unshare", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig",
				"fsmount", "fspick", "mount_setattr", "open_by_handle_at", "name_to_handle_at",
				"pidfd_getfd", "process_vm_readv", "process_vm_writev", "kcmp",
				"bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key",
				"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
				"acct", "quotactl", "reboot", "swapon", "swapoff", "lookup_dcookie", "vhangup",
			}},
		},
	}
}

// tiocLinux is TIOCLINUX, which x/sys/unix does not name.
const tiocLinux = 0x541c

// load installs the filter for this thread and what it executes. With listen it returns
// the file that the calls come to for which the filter says notify.
func load(policy seccomp.Policy, listen bool) (*os.File, error) {
	rules, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	// The rules do not apply to system calls of another architecture, which the same
	// processor may offer: a program that uses one ends.
	program := append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		bpf.RetConstant{Val: killsProcess},
	}, rules...)
	raw, err := bpf.Assemble(program)
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
	if errno != 0 {
		return nil, fmt.Errorf("seccomp: %w", errno)
	}
	if !listen {
		return nil, nil
	}
	return os.NewFile(fd, "filter"), nil
}
