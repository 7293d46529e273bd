package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// childEnv holds the directory of a log if the test binary is to archive that log
// until it is killed.
const childEnv = "BYLINE_ARCHIVE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		archiveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// testLog is a log with its archive.
type testLog struct {
	t        *testing.T
	dir, to  string
	log      *journal.Log
	ids      []string
	recorded []string // details of the records of Run
}

func openTestLog(t *testing.T) *testLog {
	t.Helper()
	top := t.TempDir()
	l := &testLog{t: t, dir: filepath.Join(top, "log"), to: filepath.Join(top, "archive")}
	l.open()
	t.Cleanup(func() { l.log.Close() })

	return l
}

func (l *testLog) open() {
	l.t.Helper()
	cfg := journal.Config{Dir: l.dir, SegmentBytes: 5000, CheckpointEvery: time.Hour, Archive: l.to}
	l.log = audittest.Must(journal.Open(cfg, audittest.Key, audittest.Instance))
}

// write writes n intents and opens the log again, so that all of them are published.
func (l *testLog) write(n int) {
	l.t.Helper()
	for i := range n {
		ticket := l.log.Append(audittest.Intent(i))
		if err := ticket.Wait(context.Background()); err != nil {
			l.t.Fatal(err)
		}
		l.ids = append(l.ids, ticket.ID())
	}
	l.reopen()
}

func (l *testLog) reopen() {
	l.t.Helper()
	if err := l.log.Close(); err != nil {
		l.t.Fatal(err)
	}
	if err := l.log.PublishErr(); err != nil {
		l.t.Fatal(err)
	}
	l.open()
}

// options moves every segment that may go.
func (l *testLog) options() Options {
	return Options{
		Log:        l.dir,
		Keys:       []audit.PublicKey{audittest.PublicKey},
		To:         l.to,
		MoveBefore: time.Now().Add(time.Hour),
		Record: func(ctx context.Context, code string, s audit.Segment, detail string) error {
			ticket, err := l.log.RecordArchived(code, s, detail)
			if err != nil {
				return err
			}
			l.recorded = append(l.recorded, code+": "+detail)
			return ticket.Wait(ctx)
		},
	}
}

func (l *testLog) run(o Options) Result {
	l.t.Helper()
	r, err := Run(l.t.Context(), o)
	if err != nil {
		l.t.Fatal(err)
	}

	return r
}

// expectWhole fails unless the directories together hold the whole log with all
// records.
func (l *testLog) expectWhole(when string) audit.Report {
	l.t.Helper()
	log := audit.Folders{l.dir, l.to}
	r, err := log.Verify(audittest.PublicKey, audit.VerifyOptions{})
	if err != nil || r.Start != 0 {
		l.t.Fatalf("%s: log and archive verify as %+v, %v; want no fault from record 0 on", when, r, err)
	}
	have := map[string]bool{}
	for r, err := range log.ReadAll(l.t.Context(), time.Time{}, nil) {
		if err != nil {
			l.t.Fatal(err)
		}
		have[r.ID] = true
	}
	for _, id := range l.ids {
		if !have[id] {
			l.t.Fatalf("%s: record %s is gone", when, id)
		}
	}

	return r
}

func countSegments(t *testing.T, dir string) int {
	t.Helper()
	files, err := segment.List(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}

	return len(files)
}

func TestI8MovedSegmentsStayOneLog(t *testing.T) {
	l := openTestLog(t)
	l.write(30)
	segments := countSegments(t, l.dir)
	r := l.run(l.options())
	if len(r.Steps) < 3 || countSegments(t, l.dir) > 3 || countSegments(t, l.to) != len(r.Steps) {
		t.Fatalf("of %d segments %d were moved: %+v", segments, len(r.Steps), r)
	}
	l.write(30)
	l.expectWhole("after a move")

	// The log alone starts at a record, and says which record tells where the others are.
	report, err := audit.Verify(l.dir, audittest.PublicKey, nil)
	last := r.Steps[len(r.Steps)-1]
	if err != nil || report.Start != last.Next || report.StartMoved == nil || report.StartMoved.SHA256 != last.SHA256 || !strings.Contains(report.StartMoved.Detail, l.to) {
		t.Errorf("the log alone verifies as %+v, %v; want a start at %d that is on record", report, err, last.Next)
	}

	log := audit.Folders{l.dir, l.to}
	for _, id := range []string{l.ids[0], l.ids[len(l.ids)/2], l.ids[len(l.ids)-1]} {
		found, err := log.FindRelated(id)
		if err != nil || found.Record.ID != id {
			t.Errorf("FindRelated of %s: %v", id, err)
		}
		proof, err := log.Prove(id, nil)
		if err != nil {
			t.Errorf("Prove of %s: %v", id, err)
			continue
		}
		if _, err := proof.Verify(audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}}); err != nil {
			t.Errorf("the proof of %s: %v", id, err)
		}
	}
	if _, err := audit.Prove(l.dir, l.ids[len(l.ids)-1], nil); err != nil {
		t.Errorf("Prove from the log alone: %v", err)
	}
	n := 0
	for range log.Tail(t.Context(), 55, false) {
		n++
	}
	if n != 55 {
		t.Errorf("Tail yields %d records, want 55", n)
	}
	if _, err := log.Export(t.TempDir(), nil); err != nil {
		t.Errorf("Export: %v", err)
	}

	// What is cut from the end is found, whatever is missing at the beginning.
	files := audittest.Must(segment.List(l.dir))
	l.log.Close()
	os.Remove(files[len(files)-1].Path)
	for _, folders := range []audit.Folders{{l.dir}, log} {
		if _, err := folders.Verify(audittest.PublicKey, audit.VerifyOptions{}); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("without its last segment %s verifies with %v, want ErrBroken", folders, err)
		}
	}
}

// TestSegmentsMovedByHand moves segments without a record of it.
func TestSegmentsMovedByHand(t *testing.T) {
	l := openTestLog(t)
	l.write(30)
	os.Mkdir(l.to, 0o700)
	for _, s := range audittest.Must(segment.List(l.dir))[:3] {
		os.Rename(s.Path, filepath.Join(l.to, filepath.Base(s.Path)))
	}
	l.write(10)
	report, err := audit.Verify(l.dir, audittest.PublicKey, nil)
	if err != nil || report.Start == 0 || report.StartMoved != nil {
		t.Errorf("the log alone verifies as %+v, %v; want a start that nothing records", report, err)
	}
	l.expectWhole("after a move by hand")
}

// TestI8AnInterruptedMoveLosesNothing ends a run after each of its steps.
func TestI8AnInterruptedMoveLosesNothing(t *testing.T) {
	interrupted := errors.New("interrupted")
	for name, prepare := range map[string]func(l *testLog, o *Options, first segment.File){
		"copy begun": func(l *testLog, _ *Options, first segment.File) {
			os.WriteFile(filepath.Join(l.to, filepath.Base(first.Path)+partSuffix), []byte("half"), 0o600)
		},
		"copy complete": func(l *testLog, _ *Options, first segment.File) {
			os.WriteFile(filepath.Join(l.to, filepath.Base(first.Path)), audittest.Must(os.ReadFile(first.Path)), 0o600)
		},
		"not recorded": func(_ *testLog, o *Options, _ segment.File) {
			o.Record = func(context.Context, string, audit.Segment, string) error { return interrupted }
		},
		"recorded and not removed": func(_ *testLog, o *Options, _ segment.File) {
			record := o.Record
			o.Record = func(ctx context.Context, code string, s audit.Segment, detail string) error {
				return errors.Join(record(ctx, code, s, detail), interrupted)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := openTestLog(t)
			l.write(20)
			os.Mkdir(l.to, 0o700)
			o := l.options()
			prepare(l, &o, audittest.Must(segment.List(l.dir))[0])

			before := audittest.Must(segment.List(l.dir)) // the records of Run may begin another one
			_, err := Run(t.Context(), o)
			if err != nil && !errors.Is(err, interrupted) {
				t.Fatal(err)
			}
			for _, file := range before {
				if _, statErr := os.Stat(file.Path); err != nil && statErr != nil {
					t.Errorf("the log has lost a segment in a run that failed: %v", statErr)
				}
			}

			l.reopen()
			l.expectWhole("after the interrupted run")

			l.run(l.options())
			l.reopen()
			l.expectWhole("after the next run")
			if n := countSegments(t, l.dir); n > 3 {
				t.Errorf("%d segments stay in the log after the next run", n)
			}
		})
	}
}

// TestI8AKilledMoveLosesNothing kills a process that writes and archives a log, again
// and again.
func TestI8AKilledMoveLosesNothing(t *testing.T) {
	top := t.TempDir()
	l := &testLog{t: t, dir: filepath.Join(top, "log"), to: filepath.Join(top, "archive")}
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+top)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		child.Process.Kill()
		child.Wait()
		os.Mkdir(l.to, 0o700)
		if countSegments(t, l.dir) > 0 {
			l.expectWhole("after a kill")
		}
	}
	if countSegments(t, l.to) == 0 {
		t.Error("no segment was moved before a kill")
	}
}

func archiveUntilKilled(top string) {
	l := &testLog{dir: filepath.Join(top, "log"), to: filepath.Join(top, "archive")}
	cfg := journal.Config{Dir: l.dir, SegmentBytes: 5000, CheckpointEvery: 5 * time.Millisecond, Archive: l.to}
	l.log = audittest.Must(journal.Open(cfg, audittest.Key, audittest.Instance))
	go func() {
		for i := 0; ; i++ {
			l.log.Append(audittest.Intent(i))
			time.Sleep(time.Millisecond)
		}
	}()
	for {
		_, err := Run(context.Background(), l.options())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func TestAFullArchiveKeepsTheSegments(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	os.Mkdir(l.to, 0o700)
	makeRoom := fillArchive(t, l)
	before := countSegments(t, l.dir)
	_, err := Run(t.Context(), l.options())
	if !errors.Is(err, syscall.ENOSPC) || countSegments(t, l.dir) != before {
		t.Errorf("with a full archive Run returned %v and left %d of %d segments; want ENOSPC and all", err, countSegments(t, l.dir), before)
	}
	makeRoom()
	l.run(l.options())
	l.reopen()
	l.expectWhole("after the disk had room again")
}

// fillArchive makes the archive a disk without room until makeRoom is called. For root
// that is a file system of one page, which is taken; others get a link to /dev/full, which root would
// not follow.
func fillArchive(t *testing.T, l *testLog) (makeRoom func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		first := audittest.Must(segment.List(l.dir))[0]
		audittest.Must(0, os.Symlink("/dev/full", filepath.Join(l.to, filepath.Base(first.Path)+partSuffix)))
		return func() {}
	}

	if err := syscall.Mount("tmpfs", l.to, "tmpfs", 0, "size=4k,mode=0700"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(l.to, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(l.to, "ballast")
	audittest.Must(0, os.WriteFile(ballast, make([]byte, 4096), 0o600))
	return func() {
		audittest.Must(0, os.Remove(ballast))
		audittest.Must(0, syscall.Mount("tmpfs", l.to, "tmpfs", syscall.MS_REMOUNT, "size=10m"))
	}
}

func TestACopyThatDiffersIsNotTrusted(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	os.Mkdir(l.to, 0o700)
	first := audittest.Must(segment.List(l.dir))[0]
	os.WriteFile(filepath.Join(l.to, filepath.Base(first.Path)), []byte("something else"), 0o600)
	if _, err := Run(t.Context(), l.options()); !errors.Is(err, errDiffers) {
		t.Errorf("Run returned %v, want errDiffers", err)
	}
	if _, err := os.Stat(first.Path); err != nil {
		t.Errorf("the segment is gone from the log: %v", err)
	}
}

func TestABrokenLogIsNotMoved(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	l.log.Close()
	files := audittest.Must(segment.List(l.dir))
	b := audittest.Must(os.ReadFile(files[1].Path))
	b[len(b)/2] ^= 1
	os.WriteFile(files[1].Path, b, 0o600)
	if _, err := Run(t.Context(), l.options()); !errors.Is(err, audit.ErrBroken) || countSegments(t, l.to) != 0 {
		t.Errorf("Run returned %v and moved %d segments, want ErrBroken and none", err, countSegments(t, l.to))
	}
}

func TestWhatASinkLacksStays(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	os.MkdirAll(filepath.Join(l.dir, "sinks"), 0o700)
	second := audittest.Must(segment.List(l.dir))[1]
	os.WriteFile(filepath.Join(l.dir, "sinks", "siem.cursor"), fmt.Appendln(nil, second.First), 0o600)
	r := l.run(l.options())
	if len(r.Steps) != 1 || !strings.Contains(r.Kept, "siem.cursor") {
		t.Errorf("Run moved %d segments and kept others because of %q, want 1 and the cursor", len(r.Steps), r.Kept)
	}
}

func TestRetentionRemovesWhatIsOldAndRecordsIt(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	l.run(l.options())
	l.write(20)

	o := l.options()
	o.MoveBefore = time.Time{}
	all := audittest.Must(audit.Folders{l.dir, l.to}.Segments())
	o.RemoveBefore = all[1].End.Add(time.Microsecond)
	o.DryRun = true
	if dry := l.run(o); len(dry.Steps) < 2 {
		t.Errorf("a dry run returned %+v, want two segments to remove", dry)
	}
	if n := len(audittest.Must(audit.Folders{l.dir, l.to}.Segments())); n != len(all) {
		t.Fatalf("a dry run left %d of %d segments", n, len(all))
	}

	o.DryRun = false
	r := l.run(o)
	if len(r.Steps) < 2 || r.Steps[0].Code != audit.CodeRemoved || r.Steps[0].Root == "" {
		t.Fatalf("Run returned %+v, want two segments that were removed", r)
	}
	l.reopen()
	report, err := audit.Folders{l.dir, l.to}.Verify(audittest.PublicKey, audit.VerifyOptions{})
	last := r.Steps[len(r.Steps)-1]
	if err != nil || report.Start != last.Next || report.StartMoved == nil || report.StartMoved.Code != audit.CodeRemoved || report.StartMoved.Root != last.Root {
		t.Errorf("what is left verifies as %+v, %v; want a start at %d that is on record as removed", report, err, last.Next)
	}
}

// TestAWrongArchivedRecordIsRefused would break the log for ever.
func TestAWrongArchivedRecordIsRefused(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	good := audit.Segment{First: 0, Next: 5, Bytes: 1, SHA256: strings.Repeat("ab", 32), Root: audittest.Must(audit.TilesOf(l.dir).RootAt(5))}
	for name, change := range map[string]func(*audit.Segment){
		"other root":        func(s *audit.Segment) { s.Root = audittest.Must(audit.TilesOf(l.dir).RootAt(6)) },
		"no root":           func(s *audit.Segment) { s.Root = "" },
		"after the log":     func(s *audit.Segment) { s.Next = 1 << 40 },
		"no lines":          func(s *audit.Segment) { s.First = 5 },
		"digest of nothing": func(s *audit.Segment) { s.SHA256 = "" },
	} {
		s := good
		change(&s)
		if _, err := l.log.RecordArchived(audit.CodeMoved, s, "x"); err == nil {
			t.Errorf("%s: the record was taken", name)
		}
	}
	if _, err := l.log.RecordArchived("burnt", good, "x"); err == nil {
		t.Error("an unknown code was taken")
	}
	if _, err := l.log.RecordArchived(audit.CodeMoved, good, "x"); err != nil {
		t.Errorf("a good record: %v", err)
	}
}

// TestTheAcceptanceOfARollbackStays archives a log that is shorter than the checkpoint
// that a rollback lost.
func TestTheAcceptanceOfARollbackStays(t *testing.T) {
	l := openTestLog(t)
	backup := t.TempDir()
	l.write(3)
	audittest.CopySegments(t, l.dir, backup)
	l.write(60)
	l.log.Close()
	for _, s := range audittest.Must(segment.List(l.dir)) {
		os.Remove(s.Path)
	}
	audittest.CopySegments(t, backup, l.dir)
	l.ids = l.ids[:3]
	l.open()
	audittest.Must(l.log.AcceptRollback("bob@acme.example", ""))
	l.write(20)
	for range 3 {
		l.run(l.options())
		l.reopen()
		if r, err := audit.Verify(l.dir, audittest.PublicKey, nil); err != nil {
			t.Fatalf("the log alone verifies as %+v, %v; want no fault", r, err)
		}
		l.expectWhole("after a move")
		l.write(40)
	}
	if r := l.run(l.options()); len(r.Steps) == 0 {
		t.Errorf("nothing is moved after the log is longer than what was lost: %s", r.Kept)
	}
}

// memoryStore is a Store that keeps segments in memory.
type memoryStore map[string]string

func (m memoryStore) Store(_ context.Context, name string, in io.ReaderAt, size int64, _ string) (string, error) {
	b, err := io.ReadAll(io.NewSectionReader(in, 0, size))
	m[name] = string(b)

	return "memory/" + name, err
}

func TestSegmentsGoToAStoreAlone(t *testing.T) {
	l := openTestLog(t)
	l.write(20)
	first := audittest.Must(segment.List(l.dir))[0]
	want := string(audittest.Must(os.ReadFile(first.Path)))
	o := l.options()
	o.To = ""
	store := memoryStore{}
	o.Store = store
	r := l.run(o)
	if len(r.Steps) == 0 || store[filepath.Base(first.Path)] != want || !strings.Contains(l.recorded[0], "memory/") {
		t.Errorf("Run returned %+v and recorded %q, want the first segment in the store", r, l.recorded)
	}
	os.Mkdir(l.to, 0o700)
	for name, text := range store {
		os.WriteFile(filepath.Join(l.to, name), []byte(text), 0o600)
	}
	l.reopen()
	l.expectWhole("with what the store holds")
}
