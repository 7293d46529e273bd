package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/tune"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func benchCommand() *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Find out what this machine can carry", Args: cobra.NoArgs,
		Example: "  byline bench tune --target-rps 2000 --agents 200 --p99 20ms --for 5m",
		RunE:    func(*cobra.Command, []string) error { return errors.New("bench: name tune") }}
	c.AddCommand(benchTune(), benchChild())
	return c
}

// benchChild is the application that a server under test works with: the same
// binary as a process of its own.
func benchChild() *cobra.Command {
	return &cobra.Command{Use: peer.ChildCommand, Short: "Be the application of a search", Example: "  byline bench child origin", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := peer.RunChild(args, os.Stdin, os.Stdout); err != nil {
				return cli.Failed("bench", err, "byline bench tune starts this by itself")
			}
			return nil
		}}
}

func benchTune() *cobra.Command {
	var goal tune.Goal
	var out string
	c := &cobra.Command{Use: "tune", Short: "Search for the settings that serve a goal at the least cost", Args: cobra.NoArgs,
		Long: "Starts servers of its own, with an application and agents on this machine, and touches no configuration that is there. It\n" +
			"changes one setting at a time (processors, garbage collection, group commits, connections, buffers), keeps what helps, and\n" +
			"writes tuned.yaml with what each setting bought, a capacity table, and a report with pictures, tuned.html. Run it on the\n" +
			"machine and the disk that count, with nothing else going on. It exits with 1 when the goal is not met.",
		Example: "  byline bench tune --target-rps 2000 --agents 200 --p99 20ms --for 5m\n  byline bench tune --target-rps 500 --agents 50 --out /var/tmp/tuned"}
	f := c.Flags()
	f.Float64Var(&goal.RPS, "target-rps", 1000, "requests a second, of all agents together")
	f.IntVar(&goal.Agents, "agents", 100, "at work at the same time, 1 to 10000")
	f.DurationVar(&goal.P99, "p99", 20*time.Millisecond, "what the proxy may take at this rate")
	f.DurationVar(&goal.For, "for", 5*time.Minute, "how long the search may take")
	f.StringVar(&out, "out", "tuned", "folder for tuned.yaml, tuned.html and, meanwhile, what servers under test write; records wait for its disk")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := goal.Check(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		r, err := search(ctx, goal, out, c.ErrOrStderr())
		if r == nil || r.Best.CPU == 0 {
			return cli.Failed("bench", err, "nothing was found out, so nothing was written")
		}
		if err := errors.Join(err, writeTuned(r, out)); err != nil {
			return cli.Failed("bench", err, "--out names the folder that is written to")
		}
		fmt.Fprintf(c.OutOrStdout(), "written  %s\n         %s\n", filepath.Join(out, "tuned.yaml"), filepath.Join(out, "tuned.html"))
		if !r.Met() {
			return cli.Failed("bench", fmt.Errorf("the goal is not met: %.0f requests a second at a p99 of %v was the best", r.Best.Reached,
				(time.Duration(r.Best.P99)*time.Microsecond).Round(100*time.Microsecond)), "the report's capacity table says how many cores it takes")
		}
		return nil
	}
	return c
}

// search starts the application and lets tune run its trials.
func search(ctx context.Context, goal tune.Goal, out string, log io.Writer) (*tune.Result, error) {
	if err := errors.Join(os.MkdirAll(out, 0o755), peer.RaiseFileLimit()); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(out, "run-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	o, err := peer.StartOrigin(ctx, -1, exe, "bench")
	if err != nil {
		return nil, err
	}
	defer o.Stop()
	site := &peer.Testbed{Exe: exe, BylineExe: exe, Dir: dir, Core: -1, Origin: o}
	return tune.Run(ctx, site, goal, bar(log, goal.For))
}

// bar shows how far the search is, in trials and in time; what is no terminal
// gets a line for each trial.
func bar(w io.Writer, limit time.Duration) func(done, all int, what string) {
	began := time.Now()
	spent := func() time.Duration { return time.Since(began).Round(time.Second) }
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(done, all int, what string) {
			fmt.Fprintf(w, "%d/%d done, %s of %v: %s\n", done, all, spent(), limit, what)
		}
	}
	var b *progressbar.ProgressBar
	return func(done, all int, what string) {
		if b == nil {
			b = progressbar.NewOptions(all, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20), progressbar.OptionShowCount(), progressbar.OptionFullWidth())
		}
		b.ChangeMax(all) // fewer than planned when the time is short
		b.Describe(fmt.Sprintf("%s of %v, %-32s", spent(), limit, what))
		_ = b.Set(done) // a bar that cannot be drawn is no reason to stop
		if done == all {
			fmt.Fprintln(w)
		}
	}
}

func writeTuned(r *tune.Result, out string) error {
	for name, write := range map[string]func(io.Writer) error{"tuned.yaml": r.WriteYAML, "tuned.html": r.WriteHTML} {
		f, err := os.Create(filepath.Join(out, name))
		if err != nil {
			return err
		}
		if err := errors.Join(write(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
