package demo

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed tickets.yaml
var ticketsAdapter []byte

// stopTimeout is how long a command may take to end after SIGTERM.
const stopTimeout = 5 * time.Second

// Installation is an installation of Byline in a temporary folder. Its commands run this
// program, as an operator would run it. It belongs to one goroutine.
type Installation struct {
	Dir     string
	Program string    // path of this program
	App     *Tickets  // nil: the installation has no adapter
	Server  *exec.Cmd // nil while no server runs

	ended chan error // receives how Server ended
}

// newInstallation makes the folder. The installation is not nil if the folder exists, even
// with an error: the caller removes it.
func newInstallation(app *Tickets) (*Installation, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "byline-demo-")
	if err != nil {
		return nil, err
	}

	i := &Installation{Dir: dir, Program: program, App: app}
	return i, os.WriteFile(i.Path("acme-ca.pem"), app.CA(), 0o600)
}

// Path joins names to the folder of the installation.
func (i *Installation) Path(names ...string) string {
	return filepath.Join(append([]string{i.Dir}, names...)...)
}

// Remove stops the server and removes the folder.
func (i *Installation) Remove() error {
	return errors.Join(i.Stop(), os.RemoveAll(i.Dir))
}

// Environ returns the environment of commands: that of this process, without variables
// that lead to another installation or to a proxy of this machine.
func (i *Installation) Environ() []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		upper := strings.ToUpper(name)
		if !strings.HasPrefix(upper, "BYLINE_") && !strings.HasSuffix(upper, "_PROXY") {
			env = append(env, pair)
		}
	}
	return append(env, "BYLINE_CONFIG="+i.Path("byline.yaml"), "SSL_CERT_FILE="+i.Path("acme-ca.pem"))
}

// Command returns a command of this program. It gets SIGTERM when ctx is done, and is
// killed if it does not end within stopTimeout, or when this process ends.
func (i *Installation) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, i.Program, args...)
	cmd.Args[0] = "byline"
	cmd.Dir = i.Dir
	cmd.Env = i.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	return cmd
}

// Run runs a command and returns what it wrote to standard output and standard error.
func (i *Installation) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := i.Command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("byline %s: %w\n%s", args[0], err, out)
	}
	return string(out), err
}

// Configure adapts the configuration that byline init wrote to this machine: free ports,
// and permission to connect to the loopback interface, where Tickets listens. It also writes
// the adapter for Tickets.
func (i *Installation) Configure() error {
	text, err := os.ReadFile(i.Path("byline.yaml"))
	if err != nil {
		return err
	}
	ports, err := FreePorts(2)
	if err != nil {
		return err
	}

	for _, edit := range []struct{ pattern, replacement string }{
		{`(?m)^listen: \S+`, "listen: 127.0.0.1:" + ports[0]},
		{`(?m)^  listen: \S+`, "  listen: 127.0.0.1:" + ports[1]},
		{`(?m)^  allow: \[\]`, "  allow: [127.0.0.0/8]"},
		{`(?m)^  format: json`, "  format: text"},
	} {
		re := regexp.MustCompile(edit.pattern)
		if n := len(re.FindAll(text, -1)); n != 1 {
			return fmt.Errorf("the configuration that init wrote has %d lines %s, want 1", n, edit.pattern)
		}
		text = re.ReplaceAll(text, []byte(edit.replacement))
	}
	if err := os.WriteFile(i.Path("byline.yaml"), text, 0o600); err != nil {
		return err
	}

	if i.App == nil {
		return nil
	}
	upstream := fmt.Sprintf("upstream: {url: \"https://%s\", ca: %q}\n", i.App.Addr(), i.Path("acme-ca.pem"))
	return os.WriteFile(i.Path("adapters.d", "tickets.yaml"), append(bytes.Clone(ticketsAdapter), upstream...), 0o600)
}

// Ports below those that the kernel gives to connections (32768 on Linux): a server that
// starts again finds its port as it left it.
const (
	firstFreePort = 20_000
	freePorts     = 12_000
)

// FreePorts returns n ports of 127.0.0.1 on which nobody listens now.
func FreePorts(n int) ([]string, error) {
	var ports []string
	var err error
	for tries := 0; len(ports) < n; tries++ {
		if tries == 1000 {
			return nil, fmt.Errorf("no port is free: %w", err)
		}
		port := strconv.Itoa(firstFreePort + rand.IntN(freePorts))
		var ln net.Listener
		ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			continue
		}
		defer ln.Close() // all stay open until the last is found, so that they differ
		ports = append(ports, port)
	}
	return ports, nil
}

// findSecrets fails if any file of the installation holds one of the secrets.
func (i *Installation) findSecrets(secrets ...string) error {
	return filepath.WalkDir(i.Dir, func(path string, d fs.DirEntry, err error) error {
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
