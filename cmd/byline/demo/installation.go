package demo

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

//go:embed tickets.yaml
var ticketsAdapter []byte

// Installation is a whole installation in a temporary folder. Its commands are
// this program, run as an operator runs it.
type Installation struct {
	Dir     string
	Program string     // path of this program
	App     *Tickets   // nil: none
	Server  *exec.Cmd  // nil while none runs
	ended   chan error // of server
}

func newInstallation(app *Tickets) (*Installation, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "byline-demo-")
	if err != nil {
		return nil, err
	}
	h := &Installation{Dir: dir, Program: self, App: app}
	return h, os.WriteFile(h.Path("acme-ca.pem"), app.CA(), 0o600)
}

// Path is a path below the folder of the installation.
func (h *Installation) Path(name ...string) string {
	return filepath.Join(append([]string{h.Dir}, name...)...)
}

// Remove leaves nothing behind.
func (h *Installation) Remove() error {
	return errors.Join(h.Stop(), os.RemoveAll(h.Dir))
}

// Environ is ours without what would lead the demonstration to a real
// installation or through a proxy of the machine's.
func (h *Installation) Environ(more ...string) (env []string) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if upper := strings.ToUpper(name); !strings.HasPrefix(upper, "BYLINE_") && !strings.HasSuffix(upper, "_PROXY") {
			env = append(env, pair)
		}
	}
	return append(append(env, "BYLINE_CONFIG="+h.Path("byline.yaml"), "SSL_CERT_FILE="+h.Path("acme-ca.pem")), more...)
}

// Command is a command of this program in the installation.
func (h *Installation) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.Program, args...)
	cmd.Args[0] = "byline"
	cmd.Env, cmd.Dir = h.Environ(), h.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Run returns what the command wrote, to both streams.
func (h *Installation) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := h.Command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("byline %s: %w\n%s", args[0], err, out)
	}
	return string(out), err
}

// Configure makes the configuration that init wrote one for this machine: free
// ports, and leave to dial the loopback interface, where Tickets listens.
func (h *Installation) Configure() error {
	text, err := os.ReadFile(h.Path("byline.yaml"))
	if err != nil {
		return err
	}
	ports, err := FreePorts(2)
	if err != nil {
		return err
	}
	for _, edit := range []struct{ from, to string }{
		{`(?m)^listen: \S+`, "listen: 127.0.0.1:" + ports[0]}, {`(?m)^  listen: \S+`, "  listen: 127.0.0.1:" + ports[1]},
		{`(?m)^  allow: \[\]`, "  allow: [127.0.0.0/8]"}, {`(?m)^  format: json`, "  format: text"},
	} {
		re := regexp.MustCompile(edit.from)
		if len(re.FindAll(text, -1)) != 1 {
			return fmt.Errorf("%s is not once in the configuration that init wrote", edit.from)
		}
		text = re.ReplaceAll(text, []byte(edit.to))
	}
	err = os.WriteFile(h.Path("byline.yaml"), text, 0o600)
	if h.App == nil {
		return err
	}
	upstream := fmt.Sprintf("upstream: {url: \"https://%s\", ca: %q}\n", h.App.Addr(), h.Path("acme-ca.pem"))
	return errors.Join(err, os.WriteFile(h.Path("adapters.d", "tickets.yaml"), append(bytes.Clone(ticketsAdapter), upstream...), 0o600))
}

// FreePorts finds n ports of 127.0.0.1 that nobody listens on.
func FreePorts(n int) (ports []string, err error) {
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
	}
	return ports, nil
}

// answers says whether the server is through with its start: its socket is
// there before that.
func (h *Installation) answers() bool {
	conn, err := net.Dial("unix", h.Path("data", "control.sock"))
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

// Serve starts the server and returns once it answers.
func (h *Installation) Serve(ctx context.Context) error {
	log, err := os.Create(h.Path("serve.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	h.Server = h.Command(context.WithoutCancel(ctx), "serve")
	h.Server.Stdout, h.Server.Stderr = log, log
	h.Server.SysProcAttr.Setpgid = true // ^C is for the demonstration, which stops the server
	h.ended = make(chan error, 1)
	started := make(chan error)
	go func(server *exec.Cmd) {
		runtime.LockOSThread() // the kernel kills the server when the thread that started it ends, so this one waits
		defer runtime.UnlockOSThread()
		err := server.Start()
		started <- err
		if err == nil {
			h.ended <- server.Wait()
		}
	}(h.Server)
	if err := <-started; err != nil {
		h.Server = nil
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if h.answers() {
				return nil
			}
		case err := <-h.ended:
			h.Server = nil
			text, _ := os.ReadFile(h.Path("serve.log"))
			return fmt.Errorf("serve ended: %w\n%s", err, text)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop ends the server as systemd would, and kills it when that takes long.
func (h *Installation) Stop() error {
	if h.Server == nil {
		return nil
	}
	server := h.Server
	h.Server = nil
	_ = server.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { _ = server.Process.Kill() })
	defer late.Stop()
	return <-h.ended
}

// holdsNone looks for secrets in everything that the server wrote.
func (h *Installation) holdsNone(secrets ...string) error {
	return filepath.WalkDir(h.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				return fmt.Errorf("%s holds a secret", path)
			}
		}
		return nil
	})
}
