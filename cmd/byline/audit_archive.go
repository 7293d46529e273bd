package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/archive"
	"github.com/byline-proxy/byline/proxy/sinks"
)

// archiveFlags say which segments are moved where.
type archiveFlags struct {
	to, sink  string
	olderThan string
	retention string
	dryRun    bool
}

func auditArchiveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "archive",
		Short: "Move old segments of the log to other storage",
		Args:  cobra.NoArgs,
		Long: "Verifies the log and moves its old segments, the oldest first, to a folder, to the bucket of an s3 sink, or to both. Each\n" +
			"is copied, the copy is read back, a record says what went where, and only then is the segment removed. Killed at any\n" +
			"time, it continues at the next call. The log alone then verifies from its first segment on; together with the archive,\n" +
			"from the first record on. With a retention, segments that are older are removed, with a record of their root.\n" +
			"A running server puts the records on record; without one, the command opens the log itself. Run it from a timer.",
		Example: "  byline audit archive --to /mnt/archive/byline --older-than 30d\n" +
			"  byline audit archive --to /mnt/archive/byline --older-than 30d --retention 400d --dry-run\n" +
			"  byline audit archive --sink vault-bucket --older-than 30d --json\n" +
			"  byline audit verify /var/lib/byline/audit /mnt/archive/byline",
	}
	var flags archiveFlags
	f := c.Flags()
	f.StringVar(&flags.to, "to", "", "folder to move segments to (default: audit.archive of the configuration)")
	f.StringVar(&flags.sink, "sink", "", "name of an s3 sink whose bucket gets each segment, too")
	f.StringVar(&flags.olderThan, "older-than", "30d", "move segments whose newest record is older: how long ago, like 36h or 30d, or a date")
	f.StringVar(&flags.retention, "retention", "", "remove segments whose newest record is older, in the same forms (default: audit.retention)")
	f.BoolVar(&flags.dryRun, "dry-run", false, "change nothing, and say what would be done")
	asJSON := cli.JSONFlag(c)
	client.AddFlags(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Config(c)
		if err != nil {
			return err
		}
		result, err := archiveSegments(c, cfg, flags)
		if len(result.Steps) > 0 || err == nil {
			failure := cli.Print(c, *asJSON, result, func(w io.Writer) error { return showArchived(w, &result, flags.dryRun) })
			err = errors.Join(err, failure)
		}
		return err
	}
	return c
}

// archiveSegments runs the archive. The result also says what was done before an error.
func archiveSegments(c *cobra.Command, cfg *configs.Config, flags archiveFlags) (archive.Result, error) {
	none := archive.Result{Steps: []archive.Step{}}
	options, closeAll, err := archiveOptions(c, cfg, flags)
	if err != nil {
		return none, err
	}

	step, removeBar := cli.Progress(c.ErrOrStderr(), "verifying")
	options.Progress = step
	result, err := archive.Run(c.Context(), options)
	removeBar()
	if result.Steps == nil {
		result.Steps = none.Steps
	}
	err = errors.Join(err, closeAll())
	if err != nil {
		return result, archiveFailed(err)
	}
	return result, nil
}

func archiveFailed(err error) error {
	if errors.Is(err, audit.ErrBroken) {
		return auditFailed(err)
	}
	hint := cli.HintOf(err)
	if hint == "" {
		hint = "no record is lost: what was not removed from the log is still there, and the next call continues"
	}
	return cli.Failed("audit", err, hint)
}

// archiveOptions makes the options of a run. closeAll closes what it opened.
func archiveOptions(c *cobra.Command, cfg *configs.Config, flags archiveFlags) (o archive.Options, closeAll func() error, err error) {
	o = archive.Options{Log: cfg.Audit.Dir, To: cfg.Audit.Archive, DryRun: flags.dryRun}
	if flags.to != "" {
		if o.To, err = filepath.Abs(flags.to); err != nil {
			return o, nil, err
		}
	}
	if o.To != "" && filepath.Clean(o.To) == filepath.Clean(o.Log) {
		return o, nil, errors.New("audit archive: --to must be another folder than that of the log")
	}

	now := time.Now()
	if o.MoveBefore, err = reports.ParseTime(flags.olderThan, now); err != nil {
		return o, nil, fmt.Errorf("audit archive: --older-than: %w", err)
	}
	if cfg.Audit.Retention > 0 {
		o.RemoveBefore = now.Add(-cfg.Audit.Retention)
	}
	if flags.retention != "" {
		if o.RemoveBefore, err = reports.ParseTime(flags.retention, now); err != nil {
			return o, nil, fmt.Errorf("audit archive: --retention: %w", err)
		}
	}
	if o.To == "" && flags.sink == "" {
		if o.RemoveBefore.IsZero() {
			return o, nil, errors.New("audit archive: name a folder with --to or audit.archive, or an s3 sink with --sink")
		}
		o.MoveBefore = time.Time{} // retention alone
	}

	o.Keys, err = readPublicKeys(c, "")
	if err != nil {
		return o, nil, err
	}
	closeSink := func() error { return nil }
	if flags.sink != "" {
		o.Store, closeSink, err = openArchiveSink(cfg, flags.sink)
		if err != nil {
			return o, nil, err
		}
	}
	if flags.dryRun {
		return o, closeSink, nil
	}

	records, err := openOperatorRecords(c)
	if err != nil {
		return o, nil, errors.Join(err, closeSink())
	}
	o.Record = func(ctx context.Context, code string, s audit.Segment, detail string) error {
		_, err := records.RecordArchived(ctx, admin.ArchivedSegment{
			Code:   code,
			First:  s.First,
			Next:   s.Next,
			Bytes:  s.Bytes,
			SHA256: s.SHA256,
			Root:   s.Root,
			Detail: detail,
		})
		return err
	}
	return o, func() error { return errors.Join(records.Close(), closeSink()) }, nil
}

// sinkStore stores segments in a sink, below the name of the instance.
type sinkStore struct {
	sinks.Archive
	sink, instance string
}

// Store implements [archive.Store].
func (s sinkStore) Store(ctx context.Context, name string, in io.ReaderAt, size int64, sha256 string) (string, error) {
	place, err := s.Archive.Store(ctx, path.Join(url.PathEscape(s.instance), "segments", name), in, size, sha256)
	if err != nil {
		return "", fmt.Errorf("sink %s: %w", s.sink, err)
	}
	return fmt.Sprintf("sink %s, %s", s.sink, place), nil
}

// openArchiveSink opens the sink with that name, which must store segments.
func openArchiveSink(cfg *configs.Config, name string) (archive.Store, func() error, error) {
	for _, c := range cfg.Sinks {
		if c.Name != name {
			continue
		}
		s, err := sinks.Open(c)
		if err != nil {
			return nil, nil, cli.Failed("audit", err, "")
		}
		store, ok := s.(sinks.Archive)
		if !ok {
			return nil, nil, errors.Join(cli.Failed("audit", fmt.Errorf("sink %s is of kind %s, which stores no segments", name, c.Kind), "name a sink of kind s3"), s.Close())
		}
		return sinkStore{store, name, cfg.Instance}, s.Close, nil
	}
	return nil, nil, cli.Failed("audit", fmt.Errorf("the configuration has no sink %q: %w", name, os.ErrNotExist), "name a sink of kind s3")
}

func showArchived(w io.Writer, r *archive.Result, dryRun bool) error {
	if len(r.Steps) == 0 {
		if _, err := fmt.Fprintln(w, "nothing to do: no segment is old enough and free to go"); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, s := range r.Steps {
			done := s.Code
			if dryRun {
				done = "would be " + done
			}
			rows = append(rows, []string{s.Name, done, fmt.Sprintf("%d to %d", s.First, s.Next-1), strconv.FormatUint(s.Bytes, 10), s.Place})
		}
		if err := cli.Table(w, []string{"SEGMENT", "DONE", "RECORDS", "BYTES", "PLACE"}, rows); err != nil {
			return err
		}
	}
	if r.Kept == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, "others stay: "+cli.Printable(r.Kept))
	return err
}
