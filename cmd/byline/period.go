package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

// recordFlags say which log a report reads, and which part of it.
type recordFlags struct{ dir, since, until string }

func (f *recordFlags) add(c *cobra.Command, since string) {
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the log, when it is not what the configuration says")
	c.Flags().StringVar(&f.since, "since", since, "beginning: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, like 36h or 30d")
	c.Flags().StringVar(&f.until, "until", "", "end, in the same forms (default: now)")
}

// open is the log's records and the period; a bad time is wrong usage.
func (f *recordFlags) open(c *cobra.Command) (reports.Records, reports.Period, error) {
	var p reports.Period
	var err error
	now := time.Now()
	for _, t := range []struct {
		flag string
		text string
		at   *time.Time
	}{{"since", f.since, &p.From}, {"until", f.until, &p.To}} {
		if t.text == "" {
			continue
		}
		if *t.at, err = reports.ParseTime(t.text, now); err != nil {
			return nil, p, fmt.Errorf("--%s: %w", t.flag, err)
		}
	}
	if !p.To.IsZero() && p.To.Before(p.From) {
		return nil, p, fmt.Errorf("--until %s lies before --since %s", f.until, f.since)
	}
	warnOverdue(c)
	if f.dir == "" {
		cfg, err := settings(c)
		if err != nil {
			return nil, p, err
		}
		f.dir = cfg.Audit.Dir
	}
	if _, err := os.Stat(f.dir); err != nil {
		return nil, p, failed("record", err, "name the log's folder with --dir")
	}
	return audit.All(c.Context(), f.dir, p.To, readingBar("reading the record")), p, nil
}

// readingBar is a progress bar of bytes on a terminal that shows itself only
// for work that takes a while; nil elsewhere.
func readingBar(what string) func(done, total int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	var bar *progressbar.ProgressBar
	began := time.Now()
	return func(done, total int64) {
		if bar == nil {
			if time.Since(began) < 500*time.Millisecond {
				return
			}
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(true),
				progressbar.OptionSetDescription(what), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		}
		_ = bar.Set64(done) // a bar that cannot be drawn is no reason to stop
	}
}

// background is a command's context also where a test calls it without one.
func background(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
