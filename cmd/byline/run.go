package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// runFlags say how the program is surrounded.
type runFlags struct {
	specFlags
	proxy, root, noProxy string
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{Use: "run [flags] -- COMMAND [ARG...]", Short: "Run a program inside a task of its own",
		Long: "Makes a task, runs the program so that it uses the proxy and trusts its authority, passes signals and the exit\n" +
			"code through, and ends the task. Exit code 128+n when signal n ended the program.\n\n" +
			"Proxy and authority are named in the variables that curl, wget, git, Python, Node.js, Deno, Go, Java, the AWS CLI and\n" +
			"others read. A browser reads none: start it with HOME set to $BYLINE_BROWSER_HOME, whose NSS database trusts the\n" +
			"authority, and hand it the proxy and its credentials from $HTTPS_PROXY, as playwright's proxy option does.",
		Example: "  byline run --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
			"    --for 30m --allow mediawiki:page.read,page.edit -- curl https://wiki.acme.example/\n" +
			"  byline run --spec task.json -- node triage.js",
		Args: cobra.MinimumNArgs(1)}
	f.add(c)
	client.Flags(c)
	c.Flags().StringVar(&f.proxy, "proxy", "", "the proxy's URL, when it is not what the configuration says")
	c.Flags().StringVar(&f.root, "root", "", "the interception root as a PEM file, when it is not what the configuration says")
	c.Flags().StringVar(&f.noProxy, "no-proxy", "", "hosts that the program reaches directly, like localhost,127.0.0.1")
	c.Flags().SetInterspersed(false)
	c.RunE = func(c *cobra.Command, args []string) error {
		body, err := f.spec()
		if err != nil {
			return err
		}
		control, cfg, err := client.Reach(c)
		if err != nil {
			return err
		}
		signals := make(chan os.Signal, 16)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
		defer signal.Stop(signals)
		s, err := f.surroundings(cfg)
		if err != nil {
			return cli.Failed("run", err, "")
		}
		defer s.remove()
		for _, w := range s.warnings {
			fmt.Fprintln(c.ErrOrStderr(), "byline: warning:", w)
		}
		code, err := runTask(c.Context(), control, body, s, args, signals)
		if err != nil { // the program's own exit code comes first
			return &cli.Failure{Err: fmt.Errorf("run: %w", err), Hint: cli.HintOf(err), Code: max(code, 1)}
		}
		if code != 0 {
			return &cli.Failure{Code: code}
		}
		return nil
	}
	return c
}

// surroundings prepares what the program needs besides its task.
func (f *runFlags) surroundings(cfg *configs.Config) (*surroundings, error) {
	proxy, root := f.proxy, f.root
	if cfg != nil {
		if proxy == "" {
			proxy = "http://" + cli.Dialable(cfg.Listen)
			if cfg.TLS.Cert != "" {
				proxy = "https://" + cli.Dialable(cfg.Listen)
			}
		}
		if root == "" {
			root = filepath.Join(cfg.Certs.Dir, "root.crt")
		}
	}
	if proxy == "" || root == "" {
		return nil, errors.New("without a configuration file --proxy and --root must be given")
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("--proxy %q is no URL like http://127.0.0.1:8080", proxy)
	}
	s, err := surround(u, root, f.noProxy)
	if err == nil && cfg != nil && cfg.Vault.KeyEnv != "" {
		s.withhold = append(s.withhold, cfg.Vault.KeyEnv)
	}
	return s, err
}

// runTask makes the task, runs the program inside it and ends the task. Signals
// are caught before any file is written and until the task is ended, so that
// none leaves one behind; one that comes before the program has started ends
// the run.
func runTask(ctx context.Context, control *client.Client, spec []byte, s *surroundings, args []string, signals <-chan os.Signal) (code int, err error) {
	ctx = context.WithoutCancel(ctx)
	out, err := control.Ask(ctx, "POST", "/v1/tasks", spec)
	if err != nil {
		return 0, err
	}
	var made admin.Task
	if err := json.Unmarshal(out, &made); err != nil {
		return 0, err
	}
	defer func() {
		_, ends := control.Ask(ctx, "DELETE", "/v1/tasks/"+url.PathEscape(made.ID), nil)
		err = errors.Join(err, ends)
	}()
	select {
	case sig := <-signals:
		return 128 + int(sig.(syscall.Signal)), nil
	default:
	}
	return inside(args, s.environ(made.ID, made.Token), signals)
}

// inside runs the program, passes signals on and returns its exit code, 128+n
// when signal n ended it.
func inside(args, env []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = env
	// A program must not outlive what would end its task. The kernel watches the
	// thread that started it, so this one stays with us.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if !fromTerminal(s) {
					_ = cmd.Process.Signal(s) // it may have ended just now
				}
			case <-done:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if w := exit.Sys().(syscall.WaitStatus); w.Signaled() {
			return 128 + int(w.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// fromTerminal tells whether the program has had the signal already: a
// terminal sends ^C and ^\ to its whole foreground group, and a second ^C
// means something else to many programs.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}
