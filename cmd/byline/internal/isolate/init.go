package isolate

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// runInit is process 1 inside. It sets the namespaces up, starts the program, and ends
// with it or with the caller.
func runInit(caller channel) int {
	discardSignals()
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) // the end of the channel does the same
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return deny(caller, "keep memory from other processes", err)
	}

	ipv6, err := setUpNetwork()
	if err != nil {
		return deny(caller, "set up the network namespace", err)
	}
	sockets, err := openFirstSockets(ipv6)
	if err != nil {
		return deny(caller, "open sockets", err)
	}
	if err := setUpMounts(); err != nil {
		return deny(caller, "set up the mount namespace", err)
	}
	if err := caller.send(message{Kind: kindReady, IPv6: ipv6}, sockets...); err != nil {
		return 1
	}
	closeAll(sockets)

	i := &initProcess{caller: caller, ipv6: ipv6}
	for {
		m, files, err := caller.receive()
		if err != nil {
			return 1 // the caller is gone, and with this process everything inside
		}
		switch {
		case m.Kind == kindListen:
			i.listen(m.Ports)
		case m.Kind == kindRun && len(files) == 1:
			i.start(files[0], m.Outside)
		case m.Kind == kindSignal && i.program > 0:
			_ = syscall.Kill(i.program, syscall.Signal(m.Signal))
		}
		closeAll(files)
	}
}

// initProcess is the state of process 1.
type initProcess struct {
	caller  channel
	ipv6    bool
	program int // its process; 0 before it was started
}

// listen opens listeners and passes those that could be opened.
func (i *initProcess) listen(ports []int) {
	m := message{Kind: kindSockets}
	var files []*os.File
	for _, port := range ports {
		f, err := openListener(port, i.ipv6)
		if err != nil {
			continue // a program inside listens there
		}
		files = append(files, f)
		m.Ports = append(m.Ports, port)
	}
	_ = i.caller.send(m, files...) // if it fails the caller is gone
	closeAll(files)
}

// start starts the program that the file describes, tells the caller whether that
// succeeded, and waits for its end in the background.
func (i *initProcess) start(spec *os.File, outside []string) {
	here, there, err := newChannel()
	if err != nil {
		_ = i.caller.send(message{Kind: kindFailed, Code: 126, Error: err.Error()})
		return
	}
	defer here.close()

	// The files become 0 to 4 of the program's process, which closes the last two.
	attr := &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{0, 1, 2, there.file.Fd(), spec.Fd()},
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"byline", stageProgram}, attr)
	there.close()
	if err != nil {
		_ = i.caller.send(message{Kind: kindFailed, Code: 126, Error: err.Error()})
		return
	}
	i.program = pid
	go i.reap()

	for {
		m, files, err := here.receive()
		if err != nil { // the program runs: its process closed the channel when it became the program
			_ = i.caller.send(message{Kind: kindStarted})
			return
		}
		if m.Kind == kindFilter && len(files) == 1 {
			if err := watchCalls(files[0], outside, i.reportRefused); err == nil {
				continue
			}
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		closeAll(files)
		if m.Kind == kindFailed {
			_ = i.caller.send(m)
			return
		}
	}
}

// maxPath bounds the path of a report. The kernel bounds that of an address.
const maxPath = 1024

// reportRefused tells the caller of a socket that the program did not reach.
func (i *initProcess) reportRefused(path string) {
	_ = i.caller.send(message{Kind: kindRefused, Path: path[:min(len(path), maxPath)]}) // if it fails the caller is gone
}

// reap waits for every process inside, and ends this process after the program has
// ended. The kernel ends what the program left.
func (i *initProcess) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			os.Exit(1)
		}
		if pid != i.program {
			continue
		}

		code := status.ExitStatus()
		if status.Signaled() {
			code = 128 + int(status.Signal())
		}
		_ = i.caller.send(message{Kind: kindExit, Code: code})
		os.Exit(0)
	}
}
