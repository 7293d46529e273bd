package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/isolate"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// isolation returns how the program is isolated: as the flag says, or else the
// configuration.
func (f *runFlags) isolation(cfg *configs.Config) (isolate.Mode, error) {
	text := f.isolate
	if text == "" && cfg != nil {
		text = cfg.Run.Isolate
	}
	return isolate.ParseMode(cmp.Or(text, string(isolate.Off)))
}

// isolatedProgram runs a program whose network leads to the proxy alone.
type isolatedProgram struct {
	box     *isolate.Sandbox
	inOwn   bool // network; else the program is supervised in that of this process
	control *client.Client
	ln      *taskListener // the one for programs that are told to use a proxy
	warn    func(string, ...any)
	task    string
	token   string
	sockets []string // outside, that the program reaches
}

// startIsolated prepares what the mode asks for. Without isolation it returns nil.
func startIsolated(mode isolate.Mode, control *client.Client, ln *taskListener, warn func(string, ...any)) (*isolatedProgram, error) {
	if mode == isolate.Off {
		return nil, nil
	}
	box, err := isolate.Start()
	if err == nil {
		return &isolatedProgram{box: box, inOwn: true, control: control, ln: ln.inside(box.Proxy, false), warn: warn}, nil
	}
	if _, denied := errors.AsType[*isolate.DeniedError](err); !denied || mode == isolate.Require {
		return nil, err
	}

	warn("the program gets no network of its own: %v; %s", err, remedyOf(err))
	box, supervisedErr := isolate.StartSupervised(ln.Addr().(*net.TCPAddr).Port)
	if supervisedErr != nil {
		warn("nothing keeps the program from going around Byline: %v", supervisedErr)
		return nil, nil
	}
	warn("the program is supervised instead: it reaches Byline and its own ports alone, has no DNS and no UDP, and must use the proxy variables. " +
		"Still open: files that processes outside read, such as pipes and shared memory")
	return &isolatedProgram{box: box, control: control, ln: ln, warn: warn}, nil
}

func remedyOf(err error) string {
	denied, ok := errors.AsType[*isolate.DeniedError](err)
	if !ok {
		return ""
	}
	return denied.Remedy()
}

// failIsolation returns the error for a program that must be isolated and cannot be.
func failIsolation(err error) error {
	return cli.Failed("run: --isolate", err, remedyOf(err))
}

// run runs the program as the task's. What it tries without Byline is on record before
// run returns, unless the server cannot be reached.
func (p *isolatedProgram) run(task admin.Task, args, env []string, signals <-chan os.Signal) (int, error) {
	p.task, p.token = task.ID, task.Token
	if p.inOwn {
		if err := p.serveNetwork(); err != nil {
			return 0, err
		}
	}
	go p.ln.serve(p.token)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		p.box.WatchRejects(p.reportRejects)
	}()

	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	code, err := p.box.Run(isolate.Program{Args: args, Env: env, Dir: dir, Outside: p.sockets}, signals)
	p.box.Close()
	<-reported
	return code, err
}

// serveNetwork answers DNS and accepts connections in the program's network.
func (p *isolatedProgram) serveNetwork() error {
	answer, err := p.control.Resolve(context.Background(), p.task, admin.NameQuestion{})
	if err != nil {
		return err
	}
	if err := p.listen(append(answer.Ports, dnsPort)); err != nil {
		return err
	}
	p.box.ServeDNS(p.resolve)
	return nil
}

// dnsPort is that of DNS over TCP.
const dnsPort = 53

// listen accepts connections on ports on which nobody listens yet.
func (p *isolatedProgram) listen(ports []int) error {
	opened, err := p.box.Listen(ports)
	for _, ln := range opened {
		if ln.Addr().(*net.TCPAddr).Port == dnsPort {
			go p.serveDNS(ln)
			continue
		}
		go p.ln.inside(ln, true).serve(p.token)
	}
	return err
}

// serveDNS answers questions over TCP until Close.
func (p *isolatedProgram) serveDNS(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go isolate.ServeDNSConn(conn, p.resolve)
	}
}

// resolve asks the server about a name. A port that an adapter has got meanwhile is open
// before the program knows the address.
func (p *isolatedProgram) resolve(name string) (known bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), handoverTimeout)
	defer cancel()
	answer, err := p.control.Resolve(ctx, p.task, admin.NameQuestion{Name: name})
	if err != nil {
		return false, err
	}
	return answer.Known, p.listen(answer.Ports)
}

// reportRejects puts on record what the kernel refused.
func (p *isolatedProgram) reportRejects(rejects []isolate.Reject) {
	var attempts []admin.Attempt
	for _, r := range rejects {
		to := r.To.String()
		if r.Protocol == admin.ProtocolUnix {
			to = cli.Printable(r.Path)
		}
		attempts = append(attempts, admin.Attempt{Protocol: r.Protocol, To: to, Count: r.Count})
	}

	ctx, cancel := context.WithTimeout(context.Background(), handoverTimeout)
	defer cancel()
	if err := p.control.RecordAttempts(ctx, p.task, attempts); err != nil {
		p.warn("what the program tried without Byline is not on record: %v", err)
	}
}

// isSessionVariable reports whether a variable leads to a socket of the user's session,
// which an isolated program does not reach.
func isSessionVariable(name string) bool {
	return slices.Contains([]string{
		"SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "GNOME_KEYRING_CONTROL",
		"DOCKER_HOST", "CONTAINER_HOST", "BUILDKIT_HOST", "CONTAINERD_ADDRESS",
		"DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XAUTHORITY", "ICEAUTHORITY", "SESSION_MANAGER",
		"PULSE_SERVER", "PIPEWIRE_REMOTE", "TMUX", "STY", "NOTIFY_SOCKET", "JOURNAL_STREAM",
		"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "VARLINK_ADDRESS",
	}, name) || strings.HasPrefix(name, "DBUS_") || strings.HasPrefix(name, "VSCODE_IPC_HOOK")
}
