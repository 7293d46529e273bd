package isolate

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// message is what caller, launcher, init and program tell each other.
type message struct {
	Kind   string `json:"kind"`
	Ports  []int  `json:"ports,omitempty"`  // of listen: to open; of sockets: of the listeners that are passed, in order; of run: that a supervised program reaches
	Signal int    `json:"signal,omitempty"` // of signal
	Code   int    `json:"code,omitempty"`   // of exit and failed: the exit code
	What   string `json:"what,omitempty"`   // of denied: what was tried
	Error  string `json:"error,omitempty"`  // of denied and failed
	IPv6   bool   `json:"ipv6,omitempty"`   // of ready

	Outside []string `json:"outside,omitempty"` // of run: paths of sockets outside that are reached

	// Of refused: what was refused.
	Protocol string `json:"protocol,omitempty"`
	Path     string `json:"path,omitempty"`
	To       string `json:"to,omitempty"`
}

// The kinds of messages.
const (
	kindReady   = "ready"   // init → caller: the network is set up; with its first sockets
	kindDenied  = "denied"  // launcher, init → caller: the machine does not allow it
	kindListen  = "listen"  // caller → init: open listeners on these ports
	kindSockets = "sockets" // init → caller: the listeners
	kindRun     = "run"     // caller → init: start the program, whose description is passed
	kindStarted = "started" // init → caller
	kindFailed  = "failed"  // init → caller: the program cannot be started
	kindSignal  = "signal"  // caller → init: send it to the program
	kindExit    = "exit"    // init → caller: the program has ended
	kindRefused = "refused" // init → caller: the program tried to reach something outside
	kindFilter  = "filter"  // program → init: the listener of its filter of system calls
)

// maxFiles bounds the files of one message. The kernel takes 253.
const maxFiles = 128

// channel is one end of a socket pair that keeps the bounds of messages. Sends may be
// concurrent; one goroutine receives.
type channel struct{ file *os.File }

// newChannel returns both ends.
func newChannel() (here, there channel, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return channel{}, channel{}, os.NewSyscallError("socketpair", err)
	}
	return channelOf(pair[0]), channelOf(pair[1]), nil
}

// channelOf returns the channel whose end is the descriptor, which it owns.
func channelOf(fd int) channel { return channel{os.NewFile(uintptr(fd), "channel")} }

// send sends a message with files. The files stay open here.
func (c channel) send(m message, files ...*os.File) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}

	for {
		err = unix.Sendmsg(int(c.file.Fd()), text, rights, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

// receive waits for a message. It returns io.EOF when the other end is closed.
func (c channel) receive() (message, []*os.File, error) {
	var m message
	text := make([]byte, 64<<10)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))

	var n, oobn, flags int
	for {
		var err error
		n, oobn, flags, _, err = unix.Recvmsg(int(c.file.Fd()), text, oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return m, nil, os.NewSyscallError("recvmsg", err)
		}
		break
	}
	files := filesOf(oob[:oobn])
	if n == 0 {
		return m, nil, io.EOF
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		closeAll(files)
		return m, nil, errProtocol
	}
	if err := json.Unmarshal(text[:n], &m); err != nil {
		closeAll(files)
		return m, nil, errProtocol
	}
	return m, files, nil
}

// filesOf returns the files that a control message brought.
func filesOf(oob []byte) []*os.File {
	parts, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var files []*os.File
	for _, part := range parts {
		fds, err := unix.ParseUnixRights(&part)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// close closes this end.
func (c channel) close() { _ = c.file.Close() }
