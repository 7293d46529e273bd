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

// process is a program that the kernel kills when the test process ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// starterThread receives functions to run on the one thread that starts
// programs. The kernel sends Pdeathsig when the thread that started a child
// ends, not when its process ends, so that thread must live on.
var starterThread = func() chan<- func() {
	functions := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range functions {
			f()
		}
	}()
	return functions
}()

// startOnStarterThread calls c.Start on the starter thread.
func startOnStarterThread(c *exec.Cmd) error {
	result := make(chan error)
	starterThread <- func() { result <- c.Start() }
	return <-result
}

// startProcess starts c and waits for its end in the background.
func startProcess(c *exec.Cmd) (*process, error) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := startOnStarterThread(c); err != nil {
		return nil, err
	}

	p := &process{c, make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = c.Wait()
	}()
	return p, nil
}

func (p *process) isRunning() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signalAndWait sends sig and waits until the process has ended. If it does not
// end in time, it is killed and the test fails.
func (p *process) signalAndWait(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("send %v to byline: %v", sig, err)
	}
	select {
	case <-p.done:
	case <-time.After(timeout):
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Errorf("byline was still running %v after %v", timeout, sig)
	}
}
