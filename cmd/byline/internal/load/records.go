package load

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

// RecordFlags say which log a report reads, and which part of it.
type RecordFlags struct{ Dir, Since, Until string }

// Add adds the flags; since is the default beginning.
func (f *RecordFlags) Add(c *cobra.Command, since string) {
	c.Flags().StringVar(&f.Dir, "dir", "", "folder of the log, when it is not what the configuration says")
	c.Flags().StringVar(&f.Since, "since", since, "beginning: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, like 36h or 30d")
	c.Flags().StringVar(&f.Until, "until", "", "end, in the same forms (default: now)")
}

// Open is the log's records and the period; a bad time is wrong usage.
func (f *RecordFlags) Open(c *cobra.Command) (reports.Records, reports.Period, error) {
	var p reports.Period
	var err error
	now := time.Now()
	for _, t := range []struct {
		flag string
		text string
		at   *time.Time
	}{{"since", f.Since, &p.From}, {"until", f.Until, &p.To}} {
		if t.text == "" {
			continue
		}
		if *t.at, err = reports.ParseTime(t.text, now); err != nil {
			return nil, p, fmt.Errorf("--%s: %w", t.flag, err)
		}
	}
	if !p.To.IsZero() && p.To.Before(p.From) {
		return nil, p, fmt.Errorf("--until %s lies before --since %s", f.Until, f.Since)
	}
	WarnOverdue(c)
	if f.Dir == "" {
		cfg, err := Settings(c)
		if err != nil {
			return nil, p, err
		}
		f.Dir = cfg.Audit.Dir
	}
	if _, err := os.Stat(f.Dir); err != nil {
		return nil, p, cli.Failed("record", err, "name the log's folder with --dir")
	}
	return audit.ReadAll(c.Context(), f.Dir, p.To, cli.ReadingBar("reading the record")), p, nil
}
