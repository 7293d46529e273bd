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

	i := &initProcess{caller: caller, stage: stageProgram, ipv6: ipv6}
	i.serve()
	return 1 // with this process everything inside ends
}

// serve does what the caller asks for until the caller is gone.
func (i *initProcess) serve() {
	for {
		m, files, err := i.caller.receive()
		if err != nil {
			return
		}
		switch {
		case m.Kind == kindListen:
			i.listen(m.Ports)
		case m.Kind == kindRun && len(files) == 1:
			i.start(files[0], m)
		case m.Kind == kindSignal && i.program > 0:
			_ = syscall.Kill(i.program, syscall.Signal(m.Signal))
		}
		closeAll(files)
	}
}

// initProcess is the state of the process that starts the program: process 1 inside, or
// the supervisor.
type initProcess struct {
	caller  channel
	stage   string // with which the program begins
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
func (i *initProcess) start(spec *os.File, run message) {
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
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"byline", i.stage}, attr)
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
			var shared *sharedNetwork
			if i.stage == stageSupervised && len(run.Ports) == 1 {
				shared = newSharedNetwork(run.Ports[0])
			}
			if err := watchCalls(files[0], run.Outside, shared, i.reportRefused); err == nil {
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

// reportRefused tells the caller what the program did not reach.
func (i *initProcess) reportRefused(r Reject) {
	m := message{Kind: kindRefused, Protocol: r.Protocol, Path: r.Path[:min(len(r.Path), maxPath)]}
	if r.To.IsValid() {
		m.To = r.To.String()
	}
	_ = i.caller.send(m) // if it fails the caller is gone
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
		if i.stage == stageSupervised {
			killDescendants() // no namespace ends them
		}
		os.Exit(0)
	}
}
