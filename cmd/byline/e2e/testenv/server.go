package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// raiseCoreLimit is a shell script that runs "$@" with core files allowed as
// far as the hard limit permits.
const raiseCoreLimit = `ulimit -S -c "$(ulimit -H -c)"; exec "$@"`

// WithCoreFiles returns a command line that runs command with core files
// allowed as far as the hard limit permits.
func WithCoreFiles(command ...string) []string {
	return append([]string{"/bin/sh", "-c", raiseCoreLimit, "sh"}, command...)
}

// Start starts the server, with core files allowed, and returns once it serves.
func (e *Env) Start() {
	e.t.Helper()
	if e.server != nil && e.server.isRunning() {
		e.t.Fatal("the server is already running")
	}

	const servingMessage = `"message":"serving"`
	startsBefore := strings.Count(e.ServerLog(), servingMessage)
	log, err := os.OpenFile(filepath.Join(e.Dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()

	line := WithCoreFiles(append(e.ServerPrefix, Binary(e.t), "serve", "--config", e.Config)...)
	c := exec.Command(line[0], line[1:]...)
	c.Dir = e.Dir
	c.Env = append(minimalEnvironment(), e.ServerEnv...)
	c.Stdout = log
	c.Stderr = log
	if e.server, err = startProcess(c); err != nil {
		e.t.Fatal(err)
	}

	e.WaitUntil("the server serves", func() bool {
		if !e.server.isRunning() {
			e.t.Fatalf("byline serve ended immediately; its log:\n%s", e.ServerLog())
		}
		return strings.Count(e.ServerLog(), servingMessage) > startsBefore
	})
}

// Stop ends the server with SIGTERM, as an operator does, and waits for its end.
func (e *Env) Stop() {
	e.t.Helper()
	e.Signal(syscall.SIGTERM)
}

// Kill ends the server with SIGKILL and waits for its end.
func (e *Env) Kill() {
	e.t.Helper()
	e.Signal(syscall.SIGKILL)
}

// Signal sends the server a signal that ends it, and waits for its end.
func (e *Env) Signal(sig syscall.Signal) {
	e.t.Helper()
	if e.server == nil {
		e.t.Fatal("the server was not started")
	}
	e.server.signalAndWait(e.t, sig)
}

// ServerPID returns the process ID of the server, which may have ended.
func (e *Env) ServerPID() int { return e.server.cmd.Process.Pid }

// ServerLog returns what the server has logged since the first Start.
func (e *Env) ServerLog() string {
	text, err := os.ReadFile(filepath.Join(e.Dir, "serve.log"))
	if err != nil && !os.IsNotExist(err) {
		e.t.Fatal(err)
	}
	return string(text)
}

// Reload calls change, which changes files of the installation, then makes the
// running server reload them (SIGHUP). It returns what the server logged.
func (e *Env) Reload(change func()) string {
	e.t.Helper()
	offset := len(e.ServerLog())
	change()
	if err := e.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		e.t.Fatal(err)
	}
	return e.WaitForReload(offset)
}

// WaitForReload waits until the server has reloaded its files, or has refused
// to, and returns what it logged after the first offset bytes of its log.
func (e *Env) WaitForReload(offset int) string {
	e.t.Helper()
	logged := ""
	e.WaitUntil("the server has reloaded its files", func() bool {
		logged = e.ServerLog()[offset:]
		return strings.Contains(logged, `"message":"reloaded"`) || strings.Contains(logged, `"message":"not reloaded`)
	})
	return logged
}

// lastBytes returns the end of a long text.
func lastBytes(s string) string { return s[max(0, len(s)-4000):] }
