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

// RecordFlags say which log a report reads, and which period of it.
type RecordFlags struct {
	Dirs         audit.Folders // nil: those of the configuration
	Since, Until string
}

// DirUsage is the usage of a flag that names the folders of a log.
const DirUsage = "folder of the log; may be repeated, for segments that were moved (default: audit.dir and audit.archive of the configuration)"

// Add adds the flags to c. since is the default of --since.
func (f *RecordFlags) Add(c *cobra.Command, since string) {
	c.Flags().StringArrayVar((*[]string)(&f.Dirs), "dir", nil, DirUsage)
	c.Flags().StringVar(&f.Since, "since", since, "beginning: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago, like 36h or 30d")
	c.Flags().StringVar(&f.Until, "until", "", "end, in the same forms (default: now)")
}

// Open returns the records of the log and the period. Before it reads them, it warns of
// adapters whose review is overdue. A bad time is wrong usage.
func (f *RecordFlags) Open(c *cobra.Command) (reports.Records, reports.Period, error) {
	return f.OpenBeyond(c, 0)
}

// OpenBeyond is Open, and the records go on for some time after the period.
func (f *RecordFlags) OpenBeyond(c *cobra.Command, after time.Duration) (reports.Records, reports.Period, error) {
	p, err := f.period(time.Now())
	if err != nil {
		return nil, p, err
	}

	WarnOverdue(c.ErrOrStderr(), ConfiguredAdapters(c))

	if len(f.Dirs) == 0 {
		cfg, err := Config(c)
		if err != nil {
			return nil, p, err
		}
		f.Dirs = cfg.Audit.Folders()
	}
	for _, dir := range f.Dirs {
		if _, err := os.Stat(dir); err != nil {
			return nil, p, cli.Failed("record", err, "name the log's folder with --dir")
		}
	}

	step, _ := cli.Progress(c.ErrOrStderr(), "reading the record") // the bar goes when all is read
	until := p.To
	if !until.IsZero() {
		until = until.Add(after)
	}
	return f.Dirs.ReadAll(c.Context(), until, step), p, nil
}

// period parses --since and --until. An end that is not given is the zero time.
func (f *RecordFlags) period(now time.Time) (p reports.Period, err error) {
	if f.Since != "" {
		if p.From, err = reports.ParseTime(f.Since, now); err != nil {
			return p, fmt.Errorf("--since: %w", err)
		}
	}
	if f.Until != "" {
		if p.To, err = reports.ParseTime(f.Until, now); err != nil {
			return p, fmt.Errorf("--until: %w", err)
		}
	}

	if !p.To.IsZero() && p.To.Before(p.From) {
		return p, fmt.Errorf("--until %s is before --since %s", f.Until, f.Since)
	}
	return p, nil
}
