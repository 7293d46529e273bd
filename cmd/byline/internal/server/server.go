// Package server builds the running server from its configuration, serves until a
// signal ends it, and puts changed files in force.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/sinks"
	"github.com/byline-proxy/byline/proxy/state"
)

// running is a server with everything that it must let go of, in order.
type running struct {
	corridor *proxy.Server
	control  *http.Server
	log      zerolog.Logger
	agents   net.Listener
	operator []net.Listener
	failed   chan error
	sinks    []sinks.Sink
}

// Serve runs until a signal ends it or a listener fails.
func Serve(ctx context.Context, p *Prepared, file string, logTo io.Writer) error {
	if err := harden(); err != nil {
		return cli.Failed("serve", err, "")
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	r := &running{log: logger(p.cfg.Log, logTo), failed: make(chan error, 3)}
	if err := r.listen(p.cfg); err != nil {
		r.stopListening()
		return cli.Failed("serve", err, "another process may be there; listen and control.listen name the addresses")
	}
	if err := r.open(p); err != nil {
		r.stopListening()
		hint := cmp.Or(cli.HintOf(err), "byline check looks at all files; a second server must not share the data directory")
		if errors.Is(err, syscall.ENOSPC) {
			hint = "free some space where the error says; what is on record stays as it is"
		}
		return cli.Failed("serve", err, hint)
	}
	r.start()
	r.log.Info().Str("listen", r.agents.Addr().String()).Str("control", r.operator[0].Addr().String()).Str("socket", p.cfg.Control.Socket).
		Int("adapters", len(p.Rules.Adapters.All())).Msg("serving")
	watch := newReloads(file, p.cfg, r)
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return r.close(p.cfg.Drain, signals)
			}
			watch.reload()
		case <-tick.C:
			watch.look()
			r.changeAuditKey(p.cfg.Audit.KeyFile)
		case err := <-r.failed:
			return errors.Join(cli.Failed("serve", err, ""), r.close(p.cfg.Drain, signals))
		case <-ctx.Done():
			return r.close(p.cfg.Drain, signals)
		}
	}
}

// harden keeps new files from everybody else, and makes sure once more that no
// core file can be written (see main).
func harden() error {
	unix.Umask(0o077)
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

func logger(c configs.Log, to io.Writer) zerolog.Logger {
	if c.Format == "text" {
		to = zerolog.ConsoleWriter{Out: to, NoColor: true, TimeFormat: time.RFC3339}
	}
	level, _ := zerolog.ParseLevel(c.Level) // the configuration was checked
	return zerolog.New(to).Level(level).With().Timestamp().Logger()
}

// listen takes the addresses before anything is written: a server that is
// there already must not find a second one in its files.
func (r *running) listen(cfg *configs.Config) (err error) {
	if r.agents, err = net.Listen("tcp", cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	tcp, err := net.Listen("tcp", cfg.Control.Listen)
	if err != nil {
		return fmt.Errorf("control.listen: %w", err)
	}
	r.operator = append(r.operator, tcp)
	unixSocket, err := listenUnix(cfg.Control.Socket)
	if err != nil {
		return fmt.Errorf("control.socket: %w", err)
	}
	r.operator = append(r.operator, unixSocket)
	return nil
}

// listenUnix takes a socket's path, also from a server that was killed.
func listenUnix(path string) (net.Listener, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("a server answers at %s", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
	return net.Listen("unix", path)
}

func (r *running) stopListening() {
	for _, l := range append(r.operator, r.agents) {
		if l != nil {
			_ = l.Close()
		}
	}
}

// open starts the rooms and the corridor.
func (r *running) open(p *Prepared) error {
	cfg := p.cfg
	authority, err := certs.Open(cfg.Certs.Dir, load.Hosts(p.Rules))
	if err != nil {
		return err
	}
	token, err := admin.MakeToken(cfg.Control.TokenFile)
	if err != nil {
		return fmt.Errorf("control.token_file: %w", err)
	}
	store, err := state.Open(state.DefaultURL(cfg.DataDir), nil)
	if err != nil {
		return &cli.Failure{Err: err, Hint: "one server to a data_dir; a file that is damaged is restored from a copy, or moved away: its tasks are over then", Code: 1}
	}
	if p.auditKey, err = journal.SettleKey(cfg.Audit.Dir, cfg.Audit.KeyFile); err != nil {
		return errors.Join(err, store.Close())
	}
	feeds := map[string]journal.Sink{}
	for _, c := range cfg.Sinks {
		s, err := sinks.Open(c)
		if err != nil {
			return errors.Join(err, store.Close())
		}
		r.sinks, feeds[c.Name] = append(r.sinks, s), s
	}
	r.corridor, err = proxy.Open(proxy.Options{
		Sinks:    feeds,
		Instance: cfg.Instance, Log: r.log, Rules: p.Rules, Vault: p.vault, Sealer: p.sealer, State: store,
		Authority: authority, AuditKey: p.auditKey, Audit: cfg.Audit.Config, Wire: cfg.Wire, Via: cfg.Upstream, Lease: cfg.Lease,
		Identity: cfg.Task, Guard: prefixes(cfg.Guard.Allow), FrontTLS: p.frontTLS,
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	r.control = admin.Server(r.corridor.Control(admin.Config{Token: token, Hosts: cfg.Control.Hosts,
		Lost: func(err error) { r.log.Error().Err(err).Msg("control request failed") }}))
	return nil
}

func prefixes(texts []string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t)) // the configuration was checked
	}
	return all
}

func (r *running) start() {
	go func() {
		if err := r.corridor.Serve(r.agents); err != nil {
			r.failed <- fmt.Errorf("listen: %w", err)
		}
	}()
	for _, l := range r.operator {
		go func() {
			if err := r.control.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				r.failed <- fmt.Errorf("control: %w", err)
			}
		}()
	}
}

// close lets exchanges end within the drain time. Operators are answered
// meanwhile: ending a task is what may be needed most just then.
func (r *running) close(drain time.Duration, signals <-chan os.Signal) error {
	r.log.Info().Str("drain", drain.String()).Msg("closing")
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	go func() {
		for sig := range signals {
			if sig != syscall.SIGHUP {
				cancel()
			}
		}
	}()
	err := r.corridor.Close(ctx)
	for _, s := range r.sinks {
		_ = s.Close() // what it holds goes with the process
	}
	_ = r.control.Close()
	if err != nil {
		return cli.Failed("serve", fmt.Errorf("closing: %w", err), "byline audit verify tells what is on record")
	}
	r.log.Info().Msg("closed")
	return nil
}
