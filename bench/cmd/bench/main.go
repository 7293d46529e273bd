// Command bench measures what Byline costs, compared with a tunnel that only
// copies bytes and with other proxies, on this machine and in one run. It writes
// bench/RESULTS.md. Run it in the root of the repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/report"
)

// shortenAfter is the time after which the rest of a run is shortened, so that it
// is over within ten minutes.
const shortenAfter = 8*time.Minute + 15*time.Second

func main() {
	if len(os.Args) > 1 && os.Args[1] == peer.ChildCommand {
		exit(peer.RunChild(os.Args[2:], os.Stdin, os.Stdout))
	}
	s, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // parseFlags has reported the error
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures everything and writes the results. If it is interrupted, it writes
// what was measured until then.
func run(ctx context.Context, s *settings) error {
	ctx, cancel := context.WithTimeout(ctx, s.maxTime)
	defer cancel()
	began := time.Now()
	s.options.ShortenAfter = began.Add(shortenAfter)
	r := &report.Run{When: began, Command: s.command, Setup: s.setup}

	dir, err := s.createWorkDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if s.measures(peer.Byline) {
		if err := s.buildByline(ctx, dir); err != nil {
			return err
		}
		r.Build = describeBuild(s.byline)
	}
	r.Machine, err = measure.ThisMachine(dir)
	if err != nil {
		return err
	}
	if err := peer.RaiseFileLimit(); err != nil {
		return err
	}
	if err := measure.PinProcess(s.setup.LoadCore); err != nil {
		return err
	}

	exe, err := os.Executable()
	if err != nil {
		return err
	}
	origin, err := peer.StartOrigin(ctx, s.setup.LoadCore, exe)
	if err != nil {
		return err
	}
	defer origin.Stop()
	testbed := &peer.Testbed{
		Exe:       exe,
		BylineExe: s.byline,
		Dir:       dir,
		Core:      s.setup.ProxyCore,
		Tasks:     s.setup.Tasks,
		Origin:    origin,
	}
	r.Outcome, err = compare.Run(ctx, testbed, s.options, newProgress(compare.Steps(s.options)))
	fmt.Fprintln(os.Stderr)
	if r.Outcome == nil || len(r.Outcome.Rows) == 0 || len(r.Outcome.Rows[0].Samples) == 0 {
		return err // nothing was measured
	}
	r.Took = time.Since(began)
	if err != nil {
		r.Outcome.Notes = append(r.Outcome.Notes, "The run was interrupted: "+err.Error())
	}
	return errors.Join(err, save(r, s), failures(r.Outcome))
}

// failures returns what failed with Byline, and with the tunnel, which is the
// base of every ratio. What failed with other peers is only on the page.
func failures(out *compare.Outcome) error {
	var errs []error
	report := func(failed, format string, args ...any) {
		if failed != "" {
			errs = append(errs, fmt.Errorf(format+": %s", append(args, failed)...))
		}
	}
	isOurs := func(name string) bool { return name == peer.Byline || name == peer.Tunnel }

	for _, r := range out.Rows {
		if isOurs(r.Peer) {
			report(r.Failed, "%s through %s", r.Workload, r.Peer)
		}
	}

	for _, b := range out.LargeBodies {
		report(b.Failed, "%d bytes %s", b.Bytes, b.Direction)
	}

	for _, i := range out.Idle {
		if isOurs(i.Peer) {
			report(i.Failed, "%d idle tunnels through %s", i.Tunnels, i.Peer)
		}
	}

	for _, l := range out.Latency {
		report(l.Failed, "latency of %s", l.Peer)
	}

	for _, curve := range out.Growth {
		for _, p := range curve.Points {
			report(p.Failed, "%d %s", p.Size, curve.What)
		}
	}

	return errors.Join(errs...)
}
