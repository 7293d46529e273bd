// Command bench measures what Byline costs beside a tunnel that only copies
// bytes and beside other proxies, on this machine, in one run, and writes
// bench/RESULTS.md. Run it in the root of the repository.
package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/report"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == peer.ChildCommand {
		exit(peer.RunChild(os.Args[2:], os.Stdin, os.Stdout))
	}
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	exit(bench(ctx, s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hurry is when a run begins to save time, to be over within ten minutes.
const hurry = 8*time.Minute + 15*time.Second

// bench runs everything and writes the results, also when it was cut short.
func bench(ctx context.Context, s *settings) error {
	ctx, cancel := context.WithTimeout(ctx, s.atMost)
	defer cancel()
	began := time.Now()
	s.options.Hurry = began.Add(hurry)
	run := &report.Run{When: began, Command: s.command, Setup: s.setup}
	dir, err := s.workplace(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if s.has(peer.Byline) {
		run.Build = built(s.byline)
	}
	if run.Machine, err = measure.ThisMachine(dir); err != nil {
		return err
	}
	if err := settle(s.setup.LoadCore); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	o, err := peer.StartOrigin(ctx, s.setup.LoadCore, exe)
	if err != nil {
		return err
	}
	defer o.Stop()
	site := &peer.Testbed{Exe: exe, BylineExe: s.byline, Dir: dir, Core: s.setup.ProxyCore, Tasks: s.setup.Tasks, Origin: o}
	run.Outcome, err = compare.Run(ctx, site, s.options, progress(compare.Steps(s.options)))
	fmt.Fprintln(os.Stderr)
	if run.Outcome == nil || len(run.Outcome.Rows) == 0 || len(run.Outcome.Rows[0].Samples) == 0 {
		return err // nothing was measured
	}
	run.Took = time.Since(began)
	if err != nil {
		run.Outcome.Notes = append(run.Outcome.Notes, "The run was cut short: "+err.Error())
	}
	return errors.Join(err, save(run, s), failures(run.Outcome))
}

// progress draws a bar on a terminal; elsewhere each step is a line.
func progress(steps int) func(what string) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		n := 0
		return func(what string) {
			n++
			fmt.Fprintf(os.Stderr, "%d/%d %s\n", n, steps, what)
		}
	}
	bar := progressbar.NewOptions(steps, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(), progressbar.OptionFullWidth())
	begun := -1
	return func(what string) { // called before each step: what was begun before it is done
		begun++
		bar.Describe(fmt.Sprintf("%-36s", what))
		_ = bar.Set(begun) // a bar that cannot be drawn is no reason to stop
	}
}

// settle keeps the bench itself on the generator's core.
func settle(core int) error {
	if err := peer.RaiseFileLimit(); err != nil {
		return err
	}
	return measure.PinProcess(core)
}

// byProfile is what make build optimises by, too; make pgo writes it.
const byProfile = "bench/byline.pgo"

// built says how a binary was made.
func built(exe string) string {
	found, err := buildinfo.ReadFile(exe)
	if err != nil {
		return "unknown"
	}
	how := found.GoVersion
	for _, s := range found.Settings {
		if s.Key == "-pgo" || s.Key == "CGO_ENABLED" {
			how += ", " + s.Key + "=" + filepath.Base(s.Value)
		}
	}
	return how
}

// workplace makes the folder that peers write in, and Byline's binary unless
// one was named.
func (s *settings) workplace(ctx context.Context) (string, error) {
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(s.out, "run-")
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	if s.byline != "" || !s.has(peer.Byline) {
		return dir, nil
	}
	s.byline = filepath.Join(dir, "byline")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-pgo="+byProfile, "-o", s.byline, "./cmd/byline")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("building byline: %w\n%s\nhint: run it in the root of the repository, or name a binary with --byline", err, out)
	}
	return dir, nil
}

// save writes the page and everything it was written from.
func save(run *report.Run, s *settings) error {
	all, err := json.MarshalIndent(run, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.out, "results.json"), append(all, '\n'), 0o644); err != nil {
		return err
	}
	var page strings.Builder
	if err := run.Write(&page); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.results), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.results, []byte(page.String()), 0o644); err != nil {
		return err
	}
	pictures := filepath.Join(filepath.Dir(s.results), report.PlotDir)
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	for name, svg := range run.Plots() {
		if err := os.WriteFile(filepath.Join(pictures, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stderr, "written:", s.results)
	return nil
}

// failures is what went wrong in single works with Byline or with the base of
// every ratio. What another peer fails at stands on the page.
func failures(o *compare.Outcome) error {
	var errs []error
	ours := func(name string) bool { return name == peer.Byline || name == peer.Tunnel }
	for _, r := range o.Rows {
		if r.Failed != "" && ours(r.Peer) {
			errs = append(errs, fmt.Errorf("%s through %s: %s", r.Work, r.Peer, r.Failed))
		}
	}
	for _, s := range o.Streams {
		if s.Failed != "" {
			errs = append(errs, fmt.Errorf("%d bytes %s: %s", s.Bytes, s.Way, s.Failed))
		}
	}
	for _, i := range o.Idle {
		if i.Failed != "" && ours(i.Peer) {
			errs = append(errs, fmt.Errorf("%d idle tunnels through %s: %s", i.Tunnels, i.Peer, i.Failed))
		}
	}
	for _, l := range o.Latency {
		if l.Failed != "" {
			errs = append(errs, fmt.Errorf("latency of %s: %s", l.Peer, l.Failed))
		}
	}
	for _, c := range o.Growth {
		for _, p := range c.Points {
			if p.Failed != "" {
				errs = append(errs, fmt.Errorf("%d %s: %s", p.Size, c.What, p.Failed))
			}
		}
	}
	return errors.Join(errs...)
}
