package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// killTimeout is how long the server may take to end after SIGTERM.
const killTimeout = 10 * time.Second

// Serve starts the server and returns when it answers. The server's output goes to
// serve.log in the folder of the installation.
func (i *Installation) Serve(ctx context.Context) error {
	log, err := os.Create(i.Path("serve.log"))
	if err != nil {
		return err
	}
	defer log.Close()

	i.Server = i.Command(context.WithoutCancel(ctx), "serve")
	i.Server.Stdout, i.Server.Stderr = log, log
	i.Server.SysProcAttr.Setpgid = true // ^C is for the demonstration, which stops the server
	i.ended = make(chan error, 1)
	if err := startAndWatch(i.Server, i.ended); err != nil {
		i.Server = nil
		return err
	}

	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if i.answers() {
				return nil
			}
		case err := <-i.ended:
			i.Server = nil
			text, _ := os.ReadFile(i.Path("serve.log"))
			return fmt.Errorf("serve ended: %w\n%s", err, text)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// startAndWatch starts cmd and sends to ended how it ended. The kernel kills cmd when the
// thread that started it ends (Pdeathsig), so the goroutine keeps its thread until then.
func startAndWatch(cmd *exec.Cmd, ended chan<- error) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()

		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	return <-started
}

// answers reports whether the server has started: its socket exists before that.
func (i *Installation) answers() bool {
	conn, err := net.Dial("unix", i.Path("data", "control.sock"))
	if err != nil {
		return false
	}
	defer conn.Close()

	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return false
	}
	answer, err := io.ReadAll(conn)
	return err == nil && bytes.HasPrefix(answer, []byte("HTTP/1.1 200 "))
}

// Stop ends the server with SIGTERM, as systemd does, and kills it after killTimeout. It
// returns how the server ended; nil if none runs.
func (i *Installation) Stop() error {
	if i.Server == nil {
		return nil
	}

	server := i.Server
	i.Server = nil
	_ = server.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(killTimeout, func() { _ = server.Process.Kill() })
	defer kill.Stop()
	return <-i.ended
}
