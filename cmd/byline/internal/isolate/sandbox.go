package isolate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Sandbox is a set of namespaces in which one program runs. Methods may be called
// concurrently, Run once.
type Sandbox struct {
	// Proxy listens inside on the loopback address, for programs that are told to use
	// a proxy.
	Proxy net.Listener
	// DNS are the sockets to which every question comes: UDP, over IPv4 and, if the
	// machine has it, IPv6.
	DNS []*net.UDPConn
	// IPv6 says that the namespaces have IPv6.
	IPv6 bool

	packets *os.File // by which the kernel refuses; nil for a supervised program
	port    int      // of the loopback interface that a supervised program reaches
	channel channel
	ended   chan error // of the launcher

	refused   *rejects
	closeOnce sync.Once

	mu        sync.Mutex
	listeners map[int]net.Listener
	sockets   chan reply    // answers to listen
	run       chan reply    // answers to run
	received  chan struct{} // closed when receive has returned; nil before it runs
}

// reply is a message with its files.
type reply struct {
	message
	files []*os.File
}

// Start makes the namespaces. The error is a *[DeniedError] if the machine does not
// allow it. The caller calls Close.
func Start() (*Sandbox, error) {
	here, there, err := newChannel()
	if err != nil {
		return nil, err
	}
	defer there.close()

	s := newSandbox(here)
	if err := s.launch(there, stageLauncher); err != nil {
		here.close()
		return nil, err
	}
	m, files, err := here.receive()
	if err == nil && m.Kind == kindDenied {
		err = &DeniedError{m.What, errors.New(m.Error)}
	}
	if err == nil && m.Kind != kindReady {
		err = errProtocol
	}
	if err == nil {
		err = s.takeSockets(m, files)
	}
	if errors.Is(err, io.EOF) {
		err = &DeniedError{"start in new namespaces", errors.New("the process in them ended at once")}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.received = make(chan struct{})
	go s.receive()
	return s, nil
}

func newSandbox(here channel) *Sandbox {
	return &Sandbox{
		channel:   here,
		ended:     make(chan error, 1),
		refused:   newRejects(),
		listeners: map[int]net.Listener{},
		sockets:   make(chan reply, 1),
		run:       make(chan reply, 2), // started and exit
	}
}

// launch starts the first process of the sandbox, which dies with this one.
func (s *Sandbox) launch(there channel, stage string) error {
	cmd := exec.Command("/proc/self/exe", stage)
	cmd.Args[0] = "byline"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{there.file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	go func() {
		// The kernel sends the signal when the thread that started the process ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.ended <- cmd.Wait()
		}
	}()
	return <-started
}

// takeSockets takes the sockets that init opened first.
func (s *Sandbox) takeSockets(m message, files []*os.File) error {
	defer closeAll(files)
	want := 3
	if m.IPv6 {
		want = 4
	}
	if len(files) != want {
		return errProtocol
	}

	var err error
	s.IPv6 = m.IPv6
	if s.packets, err = duplicate(files[0]); err != nil {
		return err
	}
	if s.Proxy, err = net.FileListener(files[1]); err != nil {
		return err
	}
	for _, f := range files[2:] {
		conn, err := net.FilePacketConn(f)
		if err != nil {
			return err
		}
		udp, ok := conn.(*net.UDPConn)
		if !ok {
			return errProtocol
		}
		s.DNS = append(s.DNS, udp)
	}
	return nil
}

// duplicate returns another descriptor of f, whose reads Close interrupts.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// receive hands what init says to whoever waits for it.
func (s *Sandbox) receive() {
	defer close(s.received)
	defer close(s.sockets)
	defer close(s.run)
	for {
		m, files, err := s.channel.receive()
		if err != nil {
			return
		}
		r := reply{message: m, files: files}
		switch m.Kind {
		case kindSockets:
			s.sockets <- r
		case kindStarted, kindFailed, kindExit:
			s.run <- r
		case kindRefused:
			to, _ := netip.ParseAddrPort(m.To)
			s.refused.add(Reject{Protocol: m.Protocol, Path: m.Path, To: to})
		default:
			closeAll(files)
		}
	}
}

// errEnded says that the processes inside are gone.
var errEnded = errors.New("the isolated processes have ended")

// Listen returns the listeners on the given ports that were not open before. They
// accept connections to every address, which is the local address of a connection.
// A port at which a program of the sandbox listens already is left to it.
func (s *Sandbox) Listen(ports []int) ([]net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	var missing []int
	for _, p := range ports {
		if s.listeners[p] == nil {
			missing = append(missing, p)
		}
	}
	var opened []net.Listener
	for len(missing) > 0 {
		some := missing[:min(len(missing), maxFiles)]
		missing = missing[len(some):]
		if err := s.channel.send(message{Kind: kindListen, Ports: some}); err != nil {
			return opened, err
		}
		r, ok := <-s.sockets
		if !ok {
			return opened, errEnded
		}
		if len(r.files) != len(r.Ports) {
			closeAll(r.files)
			return opened, errProtocol
		}
		for i, f := range r.files {
			ln, err := net.FileListener(f)
			_ = f.Close()
			if err != nil {
				return opened, err
			}
			s.listeners[r.Ports[i]] = ln
			opened = append(opened, ln)
		}
	}
	return opened, nil
}

// Program is what runs in a sandbox.
type Program struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`

	// Outside are paths of sockets outside that the program reaches.
	Outside []string `json:"-"`
}

// Run runs the program with the standard files of this process and returns its exit
// code, 128+n if signal n ended it. signals are passed on. If the program could not be
// started there is an error and the exit code that shells have for it.
func (s *Sandbox) Run(p Program, signals <-chan os.Signal) (int, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	spec, err := memoryFile(text)
	if err != nil {
		return 0, err
	}
	defer spec.Close()
	if err := s.channel.send(message{Kind: kindRun, Outside: p.Outside, Ports: []int{s.port}}, spec); err != nil {
		return 0, err
	}

	for {
		select {
		case r, ok := <-s.run:
			switch {
			case !ok:
				return 0, errEnded
			case r.Kind == kindFailed:
				return r.Code, errors.New(r.Error)
			case r.Kind == kindExit:
				return r.Code, nil
			}
		case sig := <-signals:
			n, ok := sig.(syscall.Signal)
			if ok {
				_ = s.channel.send(message{Kind: kindSignal, Signal: int(n)}) // fails if the program has just ended
			}
		}
	}
}

// memoryFile returns a file without a name that holds text, at its beginning.
func memoryFile(text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "program")
	if _, err := f.WriteAt(text, 0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("describe the program: %w", err)
	}
	return f, nil
}

// Close ends every process inside and closes the sockets.
func (s *Sandbox) Close() { s.closeOnce.Do(s.close) }

func (s *Sandbox) close() {
	_ = unix.Shutdown(int(s.channel.file.Fd()), unix.SHUT_RDWR) // init reads the end of the channel
	<-s.ended
	if s.received != nil {
		<-s.received // another file may get the channel's number as soon as the channel is closed
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.channel.close()
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	if s.Proxy != nil {
		_ = s.Proxy.Close()
	}
	for _, conn := range s.DNS {
		_ = conn.Close()
	}
	if s.packets != nil {
		_ = s.packets.Close()
	}
}
