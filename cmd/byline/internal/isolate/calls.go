package isolate

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callWatcher makes the program's calls of bind and connect in its place. A path leads to
// a socket of whatever process bound it, in any network namespace, so that the watcher
// keeps what was bound inside and connects to nothing else. It never lets the program
// make a call that it has checked: the program could change the arguments meanwhile.
type callWatcher struct {
	filter  *os.File
	cookie  uint64 // of the network namespace
	outside []string
	shared  *sharedNetwork // nil if the network is the program's own
	refused func(Reject)

	idle    atomic.Int32 // threads that wait for a call
	threads atomic.Int32

	mu    sync.Mutex
	bound map[fileID]*os.File // open, so that no other file gets its number
}

// fileID names a file among those that exist.
type fileID struct{ device, inode uint64 }

// Bounds of the watcher. A program beyond them waits, or its new sockets are not
// reached.
const (
	maxThreads = 256
	maxBound   = 4096
)

// watchCalls watches the calls that the filter notifies of. outside are paths of sockets
// outside that are reached all the same. shared is nil if the network is the program's own.
// refused is called with everything that is not reached.
func watchCalls(filter *os.File, outside []string, shared *sharedNetwork, refused func(Reject)) error {
	probe, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(probe)
	cookie, err := unix.GetsockoptUint64(probe, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	w := &callWatcher{filter: filter, cookie: cookie, outside: outside, shared: shared, refused: refused, bound: map[fileID]*os.File{}}
	w.addThread()
	return nil
}

// addThread starts a thread that waits for calls.
func (w *callWatcher) addThread() {
	if w.threads.Add(1) > maxThreads {
		w.threads.Add(-1)
		return
	}
	w.idle.Add(1)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
		if err := becomeCaller(); err != nil {
			os.Exit(1) // with everything inside
		}
		w.serve()
	}()
}

// becomeCaller gives this thread its own working directory and umask, and takes its
// capabilities except the one to read the program's memory: what it does in the
// program's place the program may do.
func becomeCaller() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has, data [2]unix.CapUserData
	if err := unix.Capget(&header, &has[0]); err != nil {
		return err
	}
	data[0].Effective = has[0].Permitted & (1 << unix.CAP_SYS_PTRACE)
	data[0].Permitted = data[0].Effective
	return unix.Capset(&header, &data[0])
}

// notification is struct seccomp_notif.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

func (w *callWatcher) request(request uintptr, p unsafe.Pointer) syscall.Errno {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, w.filter.Fd(), request, uintptr(p))
		if errno != syscall.EINTR {
			return errno
		}
	}
}

// serve makes calls until there is no program.
func (w *callWatcher) serve() {
	for {
		var n notification
		errno := w.request(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n))
		if errno == syscall.ENOENT { // the caller was killed
			continue
		}
		if errno != 0 {
			return
		}
		if w.idle.Add(-1) == 0 {
			w.addThread()
		}

		r := response{id: n.id}
		if err := w.perform(&n); err != 0 {
			r.err = -int32(err)
		}
		_ = w.request(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // ENOENT: the caller was killed
		w.idle.Add(1)
	}
}

// perform makes one call and returns what it failed with.
func (w *callWatcher) perform(n *notification) syscall.Errno {
	var address []byte
	var errno syscall.Errno
	if n.nr != unix.SYS_LISTEN {
		address, errno = readAddress(int(n.pid), n.args[1], int32(n.args[2]))
		if errno != 0 {
			return errno
		}
	}
	socket, errno := socketOf(int(n.pid), int32(n.args[0]))
	if errno != 0 {
		return errno
	}
	defer unix.Close(socket)
	id := n.id
	if w.request(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) != 0 { // its number may be another process's by now
		return unix.ESRCH
	}

	domain, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return errnoOf(err)
	}
	// A socket that was inherited may belong to the network outside.
	cookie, err := unix.GetsockoptUint64(socket, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil || cookie != w.cookie {
		return unix.EPERM
	}
	path := pathOf(domain, address)
	switch {
	case n.nr == unix.SYS_LISTEN:
		return w.listenShared(socket, domain, uintptr(n.args[1]))
	case path == "" && w.shared != nil:
		return w.performShared(n.nr, socket, domain, address)
	case path == "":
		return rawCall(uintptr(n.nr), socket, address)
	case n.nr == unix.SYS_BIND:
		return w.bind(int(n.pid), socket, path, address)
	default:
		return w.connect(int(n.pid), socket, path)
	}
}

// maxAddress is the length of sockaddr_storage, which the kernel takes at most.
const maxAddress = 128

// readAddress reads the address that a call has as argument.
func readAddress(pid int, pointer uint64, length int32) ([]byte, syscall.Errno) {
	if length < 0 || length > maxAddress {
		return nil, unix.EINVAL
	}
	address := make([]byte, length)
	if length == 0 {
		return address, 0
	}
	local := []unix.Iovec{{Base: &address[0]}}
	local[0].SetLen(len(address))
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(pointer), Len: len(address)}}, 0)
	if err != nil || n != len(address) {
		return nil, unix.EFAULT
	}
	return address, 0
}

// socketOf returns the file that a thread has under a descriptor.
func socketOf(thread int, fd int32) (int, syscall.Errno) {
	pidfd, err := unix.PidfdOpen(thread, unix.O_EXCL) // PIDFD_THREAD
	if err != nil {
		if pidfd, err = unix.PidfdOpen(leaderOf(thread), 0); err != nil {
			return -1, unix.ESRCH
		}
	}
	defer unix.Close(pidfd)
	socket, err := unix.PidfdGetfd(pidfd, int(fd), 0)
	if err != nil {
		return -1, errnoOf(err)
	}
	return socket, 0
}

// leaderOf returns the process of a thread.
func leaderOf(thread int) int {
	n, err := strconv.Atoi(statusOf(thread, "Tgid:"))
	if err != nil {
		return thread
	}
	return n
}

// statusOf returns a value from the status of a thread.
func statusOf(thread int, name string) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/status")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// pathOf returns the path of an address, or "" if it is of another kind.
func pathOf(domain int, address []byte) string {
	if domain != unix.AF_UNIX || len(address) <= 2 || address[2] == 0 {
		return ""
	}
	path, _, _ := strings.Cut(string(address[2:]), "\x00")
	return path
}

func rawCall(nr uintptr, socket int, address []byte) syscall.Errno {
	var p unsafe.Pointer
	if len(address) > 0 {
		p = unsafe.Pointer(&address[0])
	}
	_, _, errno := unix.Syscall(nr, uintptr(socket), uintptr(p), uintptr(len(address)))
	return errno
}

func errnoOf(err error) syscall.Errno {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return unix.EPERM
}

// enterFolderOf makes relative paths mean what they mean to the thread.
func enterFolderOf(thread int) syscall.Errno {
	if err := unix.Chdir("/proc/" + strconv.Itoa(thread) + "/cwd"); err != nil {
		return errnoOf(err)
	}
	return 0
}

// bind binds a socket to a path and remembers the file that this makes.
func (w *callWatcher) bind(thread, socket int, path string, address []byte) syscall.Errno {
	if errno := enterFolderOf(thread); errno != 0 {
		return errno
	}
	mask, err := strconv.ParseUint(statusOf(thread, "Umask:"), 8, 32)
	if err != nil {
		mask = 0o077
	}
	unix.Umask(int(mask))

	// While the file is not remembered nobody else may bind at the same path.
	w.mu.Lock()
	defer w.mu.Unlock()
	if errno := rawCall(unix.SYS_BIND, socket, address); errno != 0 {
		return errno
	}
	if f, id, errno := openSocketFile(path); errno == 0 {
		w.forgetUnlinked()
		if len(w.bound) < maxBound {
			w.bound[id] = f
		} else {
			_ = f.Close()
		}
	}
	return 0
}

// forgetUnlinked makes room for more sockets.
func (w *callWatcher) forgetUnlinked() {
	if len(w.bound) < maxBound {
		return
	}
	for id, f := range w.bound {
		var stat unix.Stat_t
		if unix.Fstat(int(f.Fd()), &stat) != nil || stat.Nlink == 0 {
			_ = f.Close()
			delete(w.bound, id)
		}
	}
}

// openSocketFile opens what a path leads to, without opening the socket.
func openSocketFile(path string) (*os.File, fileID, syscall.Errno) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fileID{}, errnoOf(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		_ = f.Close()
		return nil, fileID{}, errnoOf(err)
	}
	return f, fileID{uint64(stat.Dev), stat.Ino}, 0
}

// connect connects a socket to the file that a path leads to, if it was bound inside.
func (w *callWatcher) connect(thread, socket int, path string) syscall.Errno {
	if errno := enterFolderOf(thread); errno != 0 {
		return errno
	}
	f, id, errno := openSocketFile(path)
	if errno != 0 {
		return errno
	}
	defer f.Close()

	w.mu.Lock()
	_, inside := w.bound[id]
	w.mu.Unlock()
	if !inside && !w.isExcepted(id) {
		if !filepath.IsAbs(path) {
			folder, _ := os.Readlink("/proc/" + strconv.Itoa(thread) + "/cwd")
			path = filepath.Join(folder, path)
		}
		w.refused(Reject{Protocol: "unix", Path: path})
		return unix.ECONNREFUSED
	}

	// The path of the open file, so that it is the one that was checked.
	address := append([]byte{unix.AF_UNIX, 0}, "/proc/self/fd/"+strconv.Itoa(int(f.Fd()))...)
	return rawCall(unix.SYS_CONNECT, socket, append(address, 0))
}

// isExcepted reports whether the file is one of those outside that are reached.
func (w *callWatcher) isExcepted(id fileID) bool {
	for _, path := range w.outside {
		f, its, errno := openSocketFile(path)
		if errno != 0 {
			continue
		}
		_ = f.Close()
		if its == id {
			return true
		}
	}
	return false
}
