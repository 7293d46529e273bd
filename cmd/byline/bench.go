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

	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/bench/tune"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "bench",
		Short:   "Measure how much this machine can carry",
		Args:    cobra.NoArgs,
		Example: "  byline bench tune --target-rps 2000 --agents 200 --p99 20ms --for 5m",
		RunE:    func(*cobra.Command, []string) error { return errors.New("bench: name the command tune") },
	}
	c.AddCommand(benchTuneCommand(), benchChildCommand())
	return c
}

// benchChildCommand runs the application behind the servers under test, as a separate
// process of the same binary.
func benchChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:                peer.ChildCommand,
		Short:              "Run the application of a search",
		Example:            "  byline bench child origin",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := peer.RunChild(args, os.Stdin, os.Stdout); err != nil {
				return cli.Failed("bench", err, "byline bench tune starts this command")
			}
			return nil
		},
	}
}

func benchTuneCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tune",
		Short: "Search for the settings that meet a goal at the least cost",
		Args:  cobra.NoArgs,
		Long: "Starts servers, an application and agents on this machine, and changes no configuration that exists. It varies one\n" +
			"setting at a time (processors, garbage collection, group commits, connections, buffers), keeps what helps, and writes\n" +
			"tuned.yaml with the gain of each setting, a capacity table, and a report with charts, tuned.html. Run it on the machine\n" +
			"and the disk that matter, with nothing else running. It exits with 1 if the goal is not met.",
		Example: "  byline bench tune --target-rps 2000 --agents 200 --p99 20ms --for 5m\n" +
			"  byline bench tune --target-rps 500 --agents 50 --out /var/tmp/tuned",
	}
	var goal tune.Goal
	var out string
	f := c.Flags()
	f.Float64Var(&goal.RPS, "target-rps", 1000, "requests per second, of all agents together")
	f.IntVar(&goal.Agents, "agents", 100, "agents at work at the same time, 1 to 10000")
	f.DurationVar(&goal.P99, "p99", 20*time.Millisecond, "how long the proxy may take at this rate")
	f.DurationVar(&goal.For, "for", 5*time.Minute, "how long the search may take")
	f.StringVar(&out, "out", "tuned", "folder for tuned.yaml, tuned.html and, during the search, the files of servers under test; records wait for its disk")

	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := goal.Check(); err != nil {
			return err
		}

		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()

		r, err := searchSettings(ctx, goal, out, c.ErrOrStderr())
		if errors.Is(err, context.Canceled) {
			err = errors.New("the search was interrupted")
		}
		if r == nil || r.Best.CPU == 0 {
			if err == nil {
				err = errors.New("no trial succeeded")
			}
			return cli.Failed("bench", err, "nothing was measured, so nothing was written")
		}

		// A search that was interrupted has a result, too.
		if err := errors.Join(err, writeTuned(r, out)); err != nil {
			return cli.Failed("bench", err, "--out names the folder that is written to")
		}
		fmt.Fprintf(c.OutOrStdout(), "written  %s\n         %s\n", filepath.Join(out, "tuned.yaml"), filepath.Join(out, "tuned.html"))

		if !r.Met() {
			p99 := (time.Duration(r.Best.P99) * time.Microsecond).Round(100 * time.Microsecond)
			return cli.Failed("bench", fmt.Errorf("the goal is not met: %.0f requests per second at a p99 of %v was the best", r.Best.Reached, p99),
				"the report's capacity table says how many cores are needed")
		}
		return nil
	}
	return c
}

// searchSettings starts the application and lets tune run its trials. The result may be
// valid together with an error.
func searchSettings(ctx context.Context, goal tune.Goal, out string, progress io.Writer) (*tune.Result, error) {
	if err := errors.Join(os.MkdirAll(out, 0o755), peer.RaiseFileLimit()); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(out, "run-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}

	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	origin, err := peer.StartOrigin(ctx, -1, exe, "bench")
	if err != nil {
		return nil, err
	}
	defer origin.Stop()

	bed := &peer.Testbed{Exe: exe, BylineExe: exe, Dir: dir, Core: -1, Origin: origin}
	return tune.Run(ctx, bed, goal, showTrials(progress, goal.For))
}

// showTrials returns a function that shows how far the search is, in trials and in time:
// as a bar on a terminal, as a line for each trial elsewhere.
func showTrials(w io.Writer, limit time.Duration) func(done, all int, what string) {
	began := time.Now()
	spent := func() time.Duration { return time.Since(began).Round(time.Second) }

	if !cli.IsTerminal(w) {
		return func(done, all int, what string) {
			fmt.Fprintf(w, "%d/%d done, %s of %v: %s\n", done, all, spent(), limit, what)
		}
	}

	var bar *progressbar.ProgressBar
	return func(done, all int, what string) {
		if bar == nil {
			bar = progressbar.NewOptions(all,
				progressbar.OptionSetWriter(w),
				progressbar.OptionSetWidth(20),
				progressbar.OptionShowCount(),
				progressbar.OptionFullWidth())
		}
		bar.ChangeMax(all) // fewer than planned if the time is short
		bar.Describe(fmt.Sprintf("%s of %v, %-32s", spent(), limit, what))
		_ = bar.Set(done) // a bar that cannot be drawn is no reason to stop

		if done == all {
			fmt.Fprintln(w)
		}
	}
}

func writeTuned(r *tune.Result, out string) error {
	for name, write := range map[string]func(io.Writer) error{
		"tuned.yaml": r.WriteYAML,
		"tuned.html": r.WriteHTML,
	} {
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
