package main

import (
	"cmp"
	"context"
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
	"github.com/byline-proxy/byline/cmd/byline/internal/isolate"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// runFlags describe the task, and how the program reaches the proxy.
type runFlags struct {
	specFlags
	proxy   string
	proxyCA string
	root    string
	noProxy string
	isolate string
	sockets []string // that an isolated program reaches
}

func runCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Run a program in a new task",
		Long: "Creates a task, runs the program so that it uses the proxy and trusts its authority, passes signals and the exit\n" +
			"code through, and ends the task. Exit code 127 if there is no such program, 126 if it cannot be run, 128+n if signal n\n" +
			"ended it.\n\n" +
			"The program needs no credentials: this command listens on the loopback interface for processes of its own user, and\n" +
			"what connects there is the task. The listener is gone with the task.\n\n" +
			"The task does not outlive this command: the server ends it within a second if the command is killed or stopped, or if\n" +
			"its machine or the network is gone. It goes on if only the server was started again.\n\n" +
			"Proxy and authority are named in the variables that curl, wget, git, Python, Node.js, Deno, Go, Java, the AWS CLI and\n" +
			"others read. A browser reads none: start it with HOME set to $BYLINE_BROWSER_HOME, whose NSS database trusts the\n" +
			"authority, and give it the proxy from $HTTPS_PROXY, as its option --proxy-server or playwright's proxy does.",
		Example: "  byline run --agent spiffe://acme.example/agent/triage --sponsor alice@acme.example --purpose INC-1234 \\\n" +
			"    --for 30m --allow wiki:page.read,page.edit -- curl https://wiki.acme.example/\n" +
			"  byline run --spec task.json -- node triage.js",
		Args: cobra.MinimumNArgs(1),
	}
	var f runFlags
	f.add(c)
	client.AddFlags(c)
	c.Flags().StringVar(&f.proxy, "proxy", "", "the proxy's URL (default: that of the configuration)")
	c.Flags().StringVar(&f.proxyCA, "proxy-ca", "", "authorities to trust for an https proxy, as a PEM file (default: tls.cert of the configuration, and the system's)")
	c.Flags().StringVar(&f.root, "root", "", "the interception root as a PEM file (default: that of the configuration)")
	c.Flags().StringVar(&f.noProxy, "no-proxy", loopback, "hosts that the program reaches directly, besides those of an inherited NO_PROXY")
	c.Flags().StringVar(&f.isolate, "isolate", "", "keep the program from going around Byline: require, best or off (default: run.isolate of the configuration)")
	c.Flags().StringSliceVar(&f.sockets, "isolate-socket", nil, "path of a Unix socket that an isolated program reaches all the same, like a database's; repeatable")
	c.Flags().SetInterspersed(false)

	c.RunE = func(c *cobra.Command, args []string) error {
		spec, err := f.spec()
		if err != nil {
			return err
		}
		control, cfg, err := client.Connect(c)
		if err != nil {
			return err
		}

		// Signals are caught before any file is written and until the task is ended, so
		// that no signal leaves one behind.
		signals := make(chan os.Signal, 16)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
		defer signal.Stop(signals)

		warn := func(format string, a ...any) { fmt.Fprintf(c.ErrOrStderr(), "byline: warning: "+format+"\n", a...) }
		ln, err := f.listen(cfg, warn)
		if err != nil {
			return cli.Failed("run", err, "")
		}
		defer ln.Close()
		mode, err := f.isolation(cfg)
		if err != nil {
			return fmt.Errorf("--isolate: %w", err)
		}
		start := startDirectly(ln)
		proxyURL := ln.url()
		isolated, err := startIsolated(mode, control, ln, warn)
		if err != nil {
			return failIsolation(err)
		}
		if isolated != nil {
			defer isolated.box.Close()
			isolated.sockets = f.sockets
			start, proxyURL = isolated.run, isolated.ln.url()
		}
		env, err := f.environment(cfg, proxyURL)
		if err != nil {
			return cli.Failed("run", err, "")
		}
		defer env.remove()
		env.isolated = isolated != nil
		for _, w := range env.warnings {
			warn("%s", w)
		}

		code, err := runInTask(c.Context(), control, spec, start, env, args, signals, warn)
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

// listen opens the listener through which the program reaches the proxy. A nil
// configuration requires --proxy.
func (f *runFlags) listen(cfg *configs.Config, warn func(string, ...any)) (*taskListener, error) {
	proxy, roots := f.proxy, f.proxyCA
	if proxy == "" && cfg == nil {
		return nil, errors.New("without a configuration file --proxy and --root must be given")
	}
	if proxy == "" {
		proxy = "http://" + cli.DialAddress(cfg.Listen)
		if cfg.TLS.Cert != "" {
			proxy = "https://" + cli.DialAddress(cfg.Listen)
		}
	}
	if roots == "" && cfg != nil {
		roots = cfg.TLS.Cert
	}

	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("--proxy %q is not a URL like http://127.0.0.1:8080", proxy)
	}
	to, err := newUpstreamProxy(u, roots)
	if err != nil {
		return nil, err
	}
	return listenForProgram(to, func(err error) { warn("%v", err) })
}

// environment prepares what the program needs besides the task's id. A nil configuration
// requires --root.
func (f *runFlags) environment(cfg *configs.Config, proxy *url.URL) (*environment, error) {
	root := f.root
	if root == "" && cfg == nil {
		return nil, errors.New("without a configuration file --proxy and --root must be given")
	}
	if root == "" {
		root = filepath.Join(cfg.Certs.Dir, "root.crt")
	}

	noProxy, inherited := withInherited(f.noProxy)
	env, err := newEnvironment(proxy, root, noProxy)
	if err != nil {
		return nil, err
	}
	if inherited != "" {
		env.warn("NO_PROXY is inherited, so these hosts are reached without Byline: %s", cli.Printable(inherited))
	}
	if cfg != nil && cfg.Vault.KeyEnv != "" {
		env.withhold = append(env.withhold, cfg.Vault.KeyEnv)
	}
	return env, nil
}

// loopback is what programs reach directly by default: development servers, and the
// drivers of browsers, which are ports of this machine.
const loopback = "localhost,127.0.0.1,::1"

// withInherited adds the hosts of this process's own NO_PROXY to noProxy, and returns
// them apart, too.
func withInherited(noProxy string) (all, inherited string) {
	inherited = cmp.Or(os.Getenv("NO_PROXY"), os.Getenv("no_proxy"))
	if inherited == "" || noProxy == "" {
		return cmp.Or(noProxy, inherited), inherited
	}
	return noProxy + "," + inherited, inherited
}

// runInTask creates the task, runs the program in it, ends the task and returns the
// program's exit code. A signal that comes before the program has started ends the run.
func runInTask(ctx context.Context, control *client.Client, spec []byte, start startFunc, env *environment,
	args []string, signals <-chan os.Signal, warn func(string, ...any)) (code int, err error) {

	ctx = context.WithoutCancel(ctx)
	task, err := control.CreateTask(ctx, spec)
	if err != nil {
		return 0, err
	}

	// The server ends the task if this process is killed. It must know of this process
	// before the program gets the token.
	lifeline, err := control.HoldTask(ctx, task.ID)
	if err != nil {
		return 0, errors.Join(err, control.EndTask(ctx, task.ID))
	}
	ending := make(chan struct{})
	go reportEnd(lifeline, ending, warn)
	defer func() {
		close(ending)
		err = errors.Join(err, control.FinishTask(ctx, task.ID))
		lifeline.Release()
	}()

	select {
	case sig := <-signals:
		return 128 + int(sig.(syscall.Signal)), nil
	default:
	}
	return start(task, args, env.variables(task.ID), signals)
}

// startFunc runs a program as the task's, and returns its exit code when it has ended.
type startFunc func(task admin.Task, args, env []string, signals <-chan os.Signal) (int, error)

// startDirectly returns a function that runs a program next to this one, which reaches
// the proxy through ln.
func startDirectly(ln *taskListener) startFunc {
	return func(task admin.Task, args, env []string, signals <-chan os.Signal) (int, error) {
		go ln.serve(task.Token)
		return runProgram(args, env, signals)
	}
}

// reportEnd says so if the task ends before this process ends it. The program goes
// on, and its requests are refused.
func reportEnd(l *client.Lifeline, ending <-chan struct{}, warn func(string, ...any)) {
	select {
	case <-l.Ended():
		warn("the task has ended, so that requests are refused: %s", cli.Printable(l.Why()))
	case <-ending:
	}
}

// runProgram runs the program, passes signals on and returns its exit code: 128+n if
// signal n ended it.
func runProgram(args, env []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = env

	// The program must not outlive this process, which ends its task. The kernel sends the
	// signal when the thread that started the program ends, so the goroutine keeps its
	// thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}

	if err := cmd.Start(); err != nil {
		return isolate.CodeOfStart(err), err
	}
	done := make(chan struct{})
	go passSignals(cmd.Process, signals, done)
	err := cmd.Wait()
	close(done)

	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

// passSignals sends the signals to the program until done is closed.
func passSignals(program *os.Process, signals <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if !sentByTerminal(s) {
				_ = program.Signal(s) // fails if the program has just ended
			}
		case <-done:
			return
		}
	}
}

// sentByTerminal reports whether the program has already received the signal. A terminal
// sends ^C and ^\ to its whole foreground process group; a second ^C means something
// else to many programs.
func sentByTerminal(s os.Signal) bool {
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
