package testenv

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// process is a program under the test's control. It dies with the test.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
}

// starts is the one thread that starts programs: the kernel kills a child whose
// parent died when the thread that started it ends.
var starts = func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
}()

func startProcess(c *exec.Cmd) (*process, error) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	err := make(chan error)
	starts <- func() { err <- c.Start() }
	if err := <-err; err != nil {
		return nil, err
	}
	p := &process{c, make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = c.Wait()
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end signals the process and waits until it is gone; one that stays is killed
// and fails the test.
func (p *process) end(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal byline: %v", err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Errorf("byline was still there %v after %v", patience, sig)
	}
}
