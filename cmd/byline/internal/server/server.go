// Package server runs a Byline server: it checks everything that the configuration
// names, serves until a signal ends it, and puts changed files in force.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/oplog"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/sinks"
)

// running is a server with everything that it must release at the end.
type running struct {
	proxy   *proxy.Server
	control *http.Server // the control API
	sinks   []sinks.Sink
	log     zerolog.Logger // for what an operator causes
	limited zerolog.Logger // for everything else

	agents    net.Listener
	further   []further
	operators []net.Listener // of the control API: TCP, then the Unix socket
	failed    chan error     // of listeners; as large as the number of them
}

// Serve runs a server until a signal or ctx ends it or a listener fails. file is
// the configuration file, which is read again when it changes. The operator's log is
// written to logTo.
//
// SIGHUP reloads the files at once. SIGINT and SIGTERM let exchanges in flight
// finish within the drain time; a second one cuts them.
func Serve(ctx context.Context, p *Prepared, file string, logTo io.Writer) error {
	if err := harden(); err != nil {
		return cli.Failed("serve", err, "")
	}

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	stderr, err := takeStderr(p.cfg.Log.Format, logTo)
	if err != nil {
		return cli.Failed("serve", fmt.Errorf("log: %w", err), "")
	}
	if stderr != nil {
		logTo = stderr.File
	}
	log := oplog.New(p.cfg.Log.Format, p.cfg.Log.Level, logTo)
	defer log.Flush()
	if stderr != nil {
		stderr.Log(log.Limited)
		defer stderr.GiveBack() // before Flush: it logs what is left
	}

	r := &running{log: log.Whole, limited: log.Limited, failed: make(chan error, 3+len(p.cfg.Listeners))}

	// The addresses come before anything is written: a server that is already
	// running must not find a second one in its files.
	if err := r.listen(p.cfg); err != nil {
		r.closeListeners()
		return cli.Failed("serve", err, "another process may listen there; listen and control.listen name the addresses")
	}
	if stderr != nil {
		err = oplog.LogCrash(p.cfg.DataDir, r.log)
		if err != nil {
			r.log.Warn().Err(err).Msg("the trace of a crash would be lost")
		}
	}
	if err := r.open(p); err != nil {
		r.closeListeners()
		return cli.Failed("serve", err, hintForOpen(err))
	}

	r.start()
	r.log.Info().
		Str("listen", r.agents.Addr().String()).
		Str("control", r.operators[0].Addr().String()).
		Str("socket", p.cfg.Control.Socket).
		Int("adapters", len(p.Rules.Adapters.All())).
		Msg("serving")

	files := newReloader(file, p.cfg, r)
	tick := time.NewTicker(reloadInterval)
	defer tick.Stop()

	for {
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return r.close(p.cfg.Drain, signals)
			}
			files.reload()

		case <-tick.C:
			files.reloadIfChanged()
			r.takeOverAuditKey(p.cfg.Audit.KeyFile)

		case err := <-r.failed:
			return errors.Join(cli.Failed("serve", err, ""), r.close(p.cfg.Drain, signals))

		case <-ctx.Done():
			return r.close(p.cfg.Drain, signals)
		}
	}
}

// harden makes new files private, and rules out core files once more: main has
// made the process not dumpable.
func harden() error {
	unix.Umask(0o077)
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// takeStderr makes everything that is written to standard error a line of the log, if
// the log goes there in JSON; otherwise it returns nil.
func takeStderr(format string, logTo io.Writer) (*oplog.Stderr, error) {
	if logTo != io.Writer(os.Stderr) || !oplog.IsJSON(format, logTo) {
		return nil, nil
	}
	return oplog.TakeStderr()
}

// hintForOpen is the remedy for an error of open.
func hintForOpen(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return "free some space where the error says; what is on record stays as it is"
	}
	return cmp.Or(cli.HintOf(err), "byline check checks all files; a second server must not share the data directory")
}

// start serves every listener.
func (r *running) start() {
	go func() {
		if err := r.proxy.Serve(r.agents); err != nil {
			r.failed <- fmt.Errorf("listen: %w", err)
		}
	}()

	for i, l := range r.further {
		go func() {
			if err := l.serve(r.proxy); err != nil {
				r.failed <- fmt.Errorf("listeners[%d]: %w", i, err)
			}
		}()
	}

	for _, l := range r.operators {
		go func() {
			if err := r.control.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				r.failed <- fmt.Errorf("control: %w", err)
			}
		}()
	}
}

// close lets exchanges finish within the drain time, or until the next signal.
// The control API answers until they have: an operator may need to end a task just
// then.
func (r *running) close(drain time.Duration, signals <-chan os.Signal) error {
	r.log.Info().Str("drain", drain.String()).Msg("closing")

	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	go func() { // ends with the process
		for sig := range signals {
			if sig != syscall.SIGHUP {
				cancel()
			}
		}
	}()
	err := r.proxy.Close(ctx)

	for _, s := range r.sinks {
		_ = s.Close() // undelivered records are delivered after the next start
	}
	_ = r.control.Close()

	if err != nil {
		return cli.Failed("serve", fmt.Errorf("closing: %w", err), "byline audit verify shows what is on record")
	}
	r.log.Info().Msg("closed")
	return nil
}
