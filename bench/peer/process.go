package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/origin"
)

// process is one child of the bench that serves until it is stopped.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	gone chan struct{} // closed when the process was waited for
	err  error         // how it ended; read after gone
}

// start runs a command on one core (a negative one: anywhere). It is killed
// when the bench dies, and when ctx ends.
func start(ctx context.Context, core int, cmd *exec.Cmd) (*process, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := measure.RunOnCore(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, in: in, gone: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	go func() {
		p.err = cmd.Wait()
		stop()
		close(p.gone)
	}()
	return p, nil
}

// PID is the process that the figures are read from.
func (p *process) PID() int { return p.cmd.Process.Pid }

// stop ends the process: first its input ends and it is asked by SIGTERM, and
// after the grace it is killed.
func (p *process) stop(grace time.Duration) {
	p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it is gone already
	select {
	case <-p.gone:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.gone
	}
}

// child is a process that speaks the protocol of RunChild.
type child struct {
	*process
	Ready Ready
	mu    sync.Mutex
	out   *bufio.Reader
}

// startChild runs exe's child command; before is what leads to it.
func startChild(ctx context.Context, core int, exe string, before []string, kind string, flags ...string) (*child, error) {
	cmd := exec.Command(exe, slices.Concat(before, []string{ChildCommand, kind}, flags)...)
	cmd.Stderr = os.Stderr
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = write
	p, err := start(ctx, core, cmd)
	write.Close()
	if err != nil {
		read.Close()
		return nil, err
	}
	c := &child{process: p, out: bufio.NewReader(read)}
	go func() {
		<-p.gone
		read.Close()
	}()
	if err := c.hear(&c.Ready); err != nil {
		p.stop(time.Second)
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return c, nil
}

func (c *child) hear(v any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the child ended without an answer: %w", err)
	}
	return json.Unmarshal(line, v)
}

// Origin is the application as a process of its own.
type Origin struct{ *child }

// StartOrigin starts it from a binary whose command ChildCommand, below the
// commands in before, is RunChild.
func StartOrigin(ctx context.Context, core int, exe string, before ...string) (*Origin, error) {
	c, err := startChild(ctx, core, exe, before, "origin")
	return &Origin{c}, err
}

// Counts asks the application what it saw so far.
func (o *Origin) Counts() (n origin.Counts, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := io.WriteString(o.in, "counts\n"); err != nil {
		return n, fmt.Errorf("origin: %w", err)
	}
	return n, o.hear(&n)
}

// Stop ends the application.
func (o *Origin) Stop() { o.stop(2 * time.Second) }
