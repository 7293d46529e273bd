package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// Store is storage other than a directory.
type Store interface {
	// Store stores the segment called name, whose bytes have that SHA-256 in hex,
	// and returns the place for people to read. When it returns nil, the segment is
	// durable there, and Store has read it back and compared it.
	Store(ctx context.Context, name string, in io.ReaderAt, size int64, sha256 string) (place string, err error)
}

// Options say what [Run] moves and removes.
type Options struct {
	Log   string            // directory of the log's writer
	Keys  []audit.PublicKey // of the log, the first one first
	To    string            // directory to move segments to; empty if Store alone gets them
	Store Store             // gets each segment, too; nil if there is none

	// MoveBefore moves segments whose newest record is older. The zero time moves
	// none.
	MoveBefore time.Time

	// RemoveBefore removes segments whose newest record is older, from To and from
	// Log. The zero time removes none.
	RemoveBefore time.Time

	// DryRun changes nothing.
	DryRun bool

	// Record puts a step on record and returns when the record is durable.
	Record func(ctx context.Context, code string, s audit.Segment, detail string) error

	// Progress, if not nil, is called with the bytes of the log that were verified
	// and the total.
	Progress func(done, total int64)
}

// Step is what was done with one segment, or would be.
type Step struct {
	audit.Segment
	Code  string `json:"code"` // audit.CodeMoved or audit.CodeRemoved
	Name  string `json:"name"`
	Place string `json:"place,omitempty"` // where a moved segment is
}

// Result says what Run did.
type Result struct {
	Steps []Step `json:"steps"`
	Kept  string `json:"kept,omitempty"` // why segments that are old enough stay; empty if none do
}

// ErrBusy is returned if another process is at work on the same log.
var ErrBusy = errors.New("another byline audit archive is at work on this log")

// Run removes and moves segments, the oldest first. It verifies the log before: one
// that is broken stays as it is. The result says what was done, also with an error.
// After an error, or if the process was killed, Run can be called again.
func Run(ctx context.Context, o Options) (Result, error) {
	unlock, err := lockDir(o.Log)
	if err != nil {
		return Result{}, fmt.Errorf("archive: %w", err)
	}
	defer unlock()

	report, err := audit.Folders{o.Log}.Verify(o.Keys[0], audit.VerifyOptions{Keys: o.Keys[1:], Progress: o.Progress})
	if err != nil {
		return Result{}, fmt.Errorf("archive: nothing is moved: %w", err)
	}
	if o.To != "" && !o.DryRun {
		if err := durable.MkdirAll(o.To, 0o700); err != nil {
			return Result{}, fmt.Errorf("archive: %w", err)
		}
	}

	r := run{Options: o, report: report}
	err = r.checkOwner()
	if err == nil {
		err = r.remove(ctx)
	}
	if err == nil {
		err = r.move(ctx)
	}
	if err != nil {
		err = fmt.Errorf("archive: %w", err)
	}

	return r.result, err
}

// lockDir keeps other runs away from the log until unlock is called.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}

	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, err
	}

	return func() { f.Close() }, nil
}

// run is one call of Run.
type run struct {
	Options
	report audit.Report // of the log's directory
	result Result
}

// folders returns the directories that hold segments.
func (r *run) folders() audit.Folders {
	folders := audit.Folders{r.Log}
	if r.To == "" {
		return folders
	}
	if _, err := os.Stat(r.To); err != nil {
		return folders // a dry run does not make it
	}

	return append(folders, r.To)
}

// checkOwner fails if the newest segment in the archive is that of another log. It
// begins with a checkpoint, whose tree must be one that this log had.
func (r *run) checkOwner() error {
	if r.To == "" {
		return nil
	}
	archived, err := audit.Folders{r.To}.Segments()
	if errors.Is(err, os.ErrNotExist) || err == nil && len(archived) == 0 {
		return nil // a dry run does not make the directory
	}
	if err != nil {
		return err
	}

	newest := archived[len(archived)-1]
	if newest.First == 0 {
		return nil // it is compared with the segment of the same name
	}
	start, err := audit.SegmentStart(newest.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", newest.Path, err)
	}
	root, err := audit.TilesOf(r.Log).RootAt(start.Size)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing can be moved without tiles, and what is removed is verified
	}
	if err != nil || root != start.Root || start.Size != newest.First {
		return errors.Join(fmt.Errorf("%s is not a segment of this log: each log needs an archive of its own", newest.Path), err)
	}

	return nil
}

// remove removes the segments that were kept long enough.
func (r *run) remove(ctx context.Context) error {
	if r.RemoveBefore.IsZero() {
		return nil
	}
	segments, err := r.folders().Segments()
	if err != nil {
		return err
	}

	old := r.limit(segments, r.RemoveBefore)
	if len(old) > 0 {
		// Run has verified the log's directory. What is removed can never be verified
		// again, and its digest goes on record: so the archive must be unchanged, too.
		_, err := r.folders().Verify(r.Keys[0], audit.VerifyOptions{Keys: r.Keys[1:], Progress: r.Progress})
		if err != nil {
			return fmt.Errorf("nothing is removed: %w", err)
		}
	}

	for _, s := range old {
		step, err := r.newStep(s, audit.CodeRemoved)
		if err != nil {
			return err
		}
		if !r.DryRun {
			detail := fmt.Sprintf("%s was kept long enough: its newest record is from %s", step.Name, s.End.Format(time.RFC3339))
			if err := r.Record(ctx, step.Code, step.Segment, detail); err != nil {
				return err
			}
			if err := removeFiles(append([]string{s.Path}, s.Copies...)); err != nil {
				return err
			}
		}
		r.result.Steps = append(r.result.Steps, step)
	}

	return nil
}

// move moves the segments that are old enough.
func (r *run) move(ctx context.Context) error {
	if r.MoveBefore.IsZero() {
		return nil
	}
	segments, err := audit.Folders{r.Log}.Segments()
	if err != nil {
		return err
	}

	removed := len(r.result.Steps)
	for _, s := range r.limit(segments, r.MoveBefore) {
		if r.DryRun && isAmong(s, r.result.Steps[:removed]) {
			continue
		}
		step, err := r.newStep(s, audit.CodeMoved)
		if err != nil {
			return err
		}
		step.Place = filepath.Join(r.To, step.Name)
		if !r.DryRun {
			if err := r.moveSegment(ctx, s, &step); err != nil {
				return err
			}
		}
		r.result.Steps = append(r.result.Steps, step)
	}

	return nil
}

func isAmong(s audit.SegmentInfo, steps []Step) bool {
	for i := range steps {
		if steps[i].First == s.First {
			return true
		}
	}

	return false
}

// moveSegment copies a segment, records that, and removes it from the log.
func (r *run) moveSegment(ctx context.Context, s audit.SegmentInfo, step *Step) error {
	var places []string
	if r.To != "" {
		if err := copyFile(s.Path, step.Place, step.SHA256); err != nil {
			return err
		}
		places = append(places, r.To)
	}
	if r.Store != nil {
		place, err := r.storeSegment(ctx, s, step)
		if err != nil {
			return err
		}
		places = append(places, place)
		if r.To == "" {
			step.Place = place
		}
	}

	detail := fmt.Sprintf("%s is in %s", step.Name, strings.Join(places, " and in "))
	if err := r.Record(ctx, step.Code, step.Segment, detail); err != nil {
		return err
	}

	return removeFiles([]string{s.Path})
}

func (r *run) storeSegment(ctx context.Context, s audit.SegmentInfo, step *Step) (place string, err error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return "", err
	}
	defer f.Close()

	return r.Store.Store(ctx, step.Name, f, int64(step.Bytes), step.SHA256)
}

// newStep describes what happens to a segment.
func (r *run) newStep(s audit.SegmentInfo, code string) (Step, error) {
	digest, size, err := digestFile(s.Path)
	if err != nil {
		return Step{}, err
	}

	return Step{
		Segment: audit.Segment{First: s.First, Next: s.Next, Bytes: uint64(size), SHA256: digest, Root: s.Root},
		Code:    code,
		Name:    filepath.Base(s.Path),
	}, nil
}

// removeFiles removes the files of a segment and makes that durable.
func removeFiles(paths []string) error {
	for _, path := range paths {
		err := errors.Join(os.Remove(path), durable.SyncDir(filepath.Dir(path)))
		if err != nil {
			return err
		}
	}

	return nil
}

// limit returns the oldest of segments, as long as their newest records are from
// before a time and nothing needs them where they are. It sets result.Kept to what
// does. The last segment of the log always stays.
func (r *run) limit(segments []audit.SegmentInfo, before time.Time) []audit.SegmentInfo {
	n := 0
	for n < len(segments) && segments[n].Next > 0 && segments[n].End.Before(before) {
		if why := r.neededBy(segments[n]); why != "" {
			r.result.Kept = why
			break
		}
		n++
	}

	return segments[:r.limitToRollbacks(segments, n)]
}

// neededBy says what needs a segment in the log's directory, or returns "".
func (r *run) neededBy(s audit.SegmentInfo) string {
	if filepath.Dir(s.Path) != filepath.Clean(r.Log) {
		return ""
	}

	_, c, err := audit.TilesOf(r.Log).Checkpoint()
	if err != nil || c.Size < s.Next {
		return fmt.Sprintf("the tiles do not cover %s yet: start the server and wait for the next checkpoint", filepath.Base(s.Path))
	}

	cursors, _ := filepath.Glob(filepath.Join(r.Log, "sinks", "*.cursor"))
	for _, path := range cursors {
		text, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		delivered, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil || delivered < s.Next {
			return fmt.Sprintf("a sink does not have the records of %s yet: %s; remove that file if that sink no longer exists",
				filepath.Base(s.Path), path)
		}
	}

	return ""
}

// limitToRollbacks returns how many of the first n segments may go. What is left must
// begin after every checkpoint that a rollback lost, or hold the record that accepts
// it: otherwise the lost checkpoint next to the log would break it.
func (r *run) limitToRollbacks(segments []audit.SegmentInfo, n int) int {
	for i := 0; n > 0 && i < len(r.report.Accepted); i++ {
		b := &r.report.Accepted[i]
		next := segments[n-1].Next
		if b.Seq >= next || b.Lost.Size < next {
			continue
		}

		r.result.Kept = fmt.Sprintf("record %d accepts the loss of a checkpoint of %d records: it stays until the log is longer", b.Seq, b.Lost.Size)
		for n > 0 && segments[n-1].Next > b.Seq {
			n--
		}
		i = -1
	}

	return n
}
