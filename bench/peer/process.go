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

// process is a child process that runs until it is stopped.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	exited chan struct{} // closed when the process has ended
	err    error         // from Wait; valid once exited is closed
}

// startProcess runs a command on one core, or on any core if core is negative.
// The process is killed when the bench ends for whatever reason, and when ctx
// ends.
func startProcess(ctx context.Context, core int, cmd *exec.Cmd) (*process, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := measure.RunOnCore(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, stdin: stdin, exited: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	go func() {
		p.err = cmd.Wait()
		stop()
		close(p.exited)
	}()
	return p, nil
}

// PID returns the id of the process.
func (p *process) PID() int { return p.cmd.Process.Pid }

// stop closes the input of the process and sends SIGTERM. If the process has not
// ended after the grace period, it is killed. stop waits until it has ended.
func (p *process) stop(grace time.Duration) {
	p.stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if the process has ended already
	select {
	case <-p.exited:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// child is a process that runs [RunChild].
type child struct {
	*process
	Ready Ready

	mu     sync.Mutex // serializes a question and its answer
	stdout *bufio.Reader
}

// startChild runs the child command of exe, which follows the arguments in
// prefix, and waits until the child is ready.
func startChild(ctx context.Context, core int, exe string, prefix []string, kind string, flags ...string) (*child, error) {
	cmd := exec.Command(exe, slices.Concat(prefix, []string{ChildCommand, kind}, flags)...)
	cmd.Stderr = os.Stderr
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = childStdout
	p, err := startProcess(ctx, core, cmd)
	childStdout.Close()
	if err != nil {
		stdout.Close()
		return nil, err
	}

	c := &child{process: p, stdout: bufio.NewReader(stdout)}
	go func() {
		<-p.exited
		stdout.Close()
	}()
	if err := c.readAnswer(&c.Ready); err != nil {
		p.stop(time.Second)
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return c, nil
}

func (c *child) readAnswer(v any) error {
	line, err := c.stdout.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the child process ended without an answer: %w", err)
	}
	return json.Unmarshal(line, v)
}

// Origin is the application in its own process.
type Origin struct{ *child }

// StartOrigin starts the application. exe is a binary whose command
// [ChildCommand], below the commands in prefix, calls [RunChild].
func StartOrigin(ctx context.Context, core int, exe string, prefix ...string) (*Origin, error) {
	c, err := startChild(ctx, core, exe, prefix, "origin")
	return &Origin{c}, err
}

// Counts asks the application what it has seen so far. It is safe for concurrent
// use.
func (o *Origin) Counts() (counts origin.Counts, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := io.WriteString(o.stdin, "counts\n"); err != nil {
		return counts, fmt.Errorf("origin: %w", err)
	}
	return counts, o.readAnswer(&counts)
}

// Stop ends the application.
func (o *Origin) Stop() { o.stop(2 * time.Second) }
