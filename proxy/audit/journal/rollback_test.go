package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// writeRolledBackLog writes a log in dir and restores its segments from an older
// copy, but not its tiles.
func writeRolledBackLog(t *testing.T, dir string) {
	t.Helper()
	backup := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	writeIntents(t, l, 5)
	mustClose(t, l)
	audittest.CopySegments(t, dir, backup)
	l = openLog(t, Config{Dir: dir})
	writeIntents(t, l, 5)
	mustClose(t, l)
	audittest.CopySegments(t, backup, dir)
}

// lostNotes returns the checkpoints that were kept because the log no longer has
// them.
func lostNotes(t *testing.T, dir, mark string) []string {
	t.Helper()
	return audittest.Must(filepath.Glob(filepath.Join(dir, audit.TilesDir, "checkpoint*"+mark+"*")))
}

// expectRollback fails unless verification finds that the log was rolled back.
func expectRollback(t *testing.T, when, dir string) {
	t.Helper()
	report, err := audit.Verify(dir, audittest.PublicKey, nil)
	if !errors.Is(err, audit.ErrBroken) || report.Bad == nil {
		t.Errorf("%s, Verify returned %v; want ErrBroken because of a rollback", when, err)
	}
}

// TestI8StartsDoNotLaunderARollback opens and closes a log several times after its
// tail was cut. It stays broken, also when it has grown past the checkpoint that
// shows the cut.
func TestI8StartsDoNotLaunderARollback(t *testing.T) {
	dir := t.TempDir()
	writeRolledBackLog(t, dir)
	expectRollback(t, "before Open", dir)

	for range 3 {
		l := openLog(t, Config{Dir: dir})
		if err := l.RollbackErr(); !errors.Is(err, ErrRolledBack) {
			t.Errorf("RollbackErr returned %v, want ErrRolledBack", err)
		}
		writeIntents(t, l, 1)
		mustClose(t, l)
		expectRollback(t, "after a start", dir)
	}

	l := openLog(t, Config{Dir: dir})
	writeIntents(t, l, 20)
	mustClose(t, l)
	expectRollback(t, "after the log has grown", dir)
	if !hasAlert(t, dir, "rolled_back") {
		t.Error("the log has no alert rolled_back")
	}
	if kept := lostNotes(t, dir, aheadMark); len(kept) != 1 {
		t.Errorf("the checkpoint that shows the rollback was kept in %v, want one file", kept)
	}
}

// TestI8AcceptedRollbackIsReported accepts a rollback. Verification then names who
// accepted it, and the log stays open to the next one.
func TestI8AcceptedRollbackIsReported(t *testing.T) {
	dir := t.TempDir()
	writeRolledBackLog(t, dir)
	l := openLog(t, Config{Dir: dir})
	if _, err := l.AcceptRollback(" ", ""); err == nil {
		t.Error("a rollback was accepted by nobody")
	}
	breaks, err := l.AcceptRollback("bob@acme.example", "INC-7: disk replaced")
	if err != nil || len(breaks) != 1 || breaks[0].Lost.Size != 11 {
		t.Fatalf("AcceptRollback returned %+v, %v; want one checkpoint of 11 records", breaks, err)
	}
	if err := l.RollbackErr(); err != nil {
		t.Errorf("after it was accepted RollbackErr returned %v", err)
	}
	writeIntents(t, l, 20)
	mustClose(t, l)

	report := audittest.Verify(t, dir)
	if len(report.Accepted) != 1 {
		t.Fatalf("Verify reports the breaks %+v, want one", report.Accepted)
	}
	got := report.Accepted[0]
	if got.By != "bob@acme.example" || got.Why != "INC-7: disk replaced" || got.Lost.Size != 11 || got.ID != breaks[0].Record ||
		got.Root != breaks[0].Root || got.Seq != breaks[0].Size || got.Pending {
		t.Errorf("Verify reports %+v, want what AcceptRollback returned: %+v", got, breaks[0])
	}

	l = openLog(t, Config{Dir: dir})
	if err := l.RollbackErr(); err != nil {
		t.Errorf("after the next start RollbackErr returned %v", err)
	}
	if breaks, err := l.AcceptRollback("bob@acme.example", ""); err != nil || len(breaks) != 0 {
		t.Errorf("with nothing to accept AcceptRollback returned %+v, %v", breaks, err)
	}
	mustClose(t, l)

	// The acceptance itself is cut off.
	lines := audittest.Lines(t, dir)
	cut := audittest.WriteLines(t, dir, lines[:got.Seq])
	os.CopyFS(filepath.Join(cut, audit.TilesDir), os.DirFS(filepath.Join(dir, audit.TilesDir)))
	expectRollback(t, "after the acceptance was cut off", cut)
	mustClose(t, openLog(t, Config{Dir: cut}))
	expectRollback(t, "after the acceptance was cut off, and a start", cut)
}

// TestI8AnUnsealedAcceptanceCountsForNothing appends a rollback record without a
// checkpoint after it, as somebody could who has no key.
func TestI8AnUnsealedAcceptanceCountsForNothing(t *testing.T) {
	dir := t.TempDir()
	writeRolledBackLog(t, dir)
	note := string(audittest.Must(os.ReadFile(filepath.Join(dir, audit.TilesDir, audit.CheckpointFile))))
	audittest.AppendLine(t, dir, &audit.Record{ID: audit.NewID(), Kind: audit.KindRollback, Sponsor: "mallory@acme.example", Checkpoint: note})
	expectRollback(t, "with a forged acceptance", dir)
}

// TestI8AForkBehindTheCheckpointIsKept cuts the tail and appends unsealed records
// until the log is longer than the checkpoint next to it.
func TestI8AForkBehindTheCheckpointIsKept(t *testing.T) {
	dir := t.TempDir()
	writeRolledBackLog(t, dir)
	for i := range 10 {
		audittest.AppendLine(t, dir, &audit.Record{ID: audit.NewID(), Kind: "note", Detail: strings.Repeat("x", i)})
	}
	expectRollback(t, "with records in place of those that were cut", dir)

	l := openLog(t, Config{Dir: dir})
	if err := l.RollbackErr(); !errors.Is(err, ErrRolledBack) {
		t.Errorf("RollbackErr returned %v, want ErrRolledBack", err)
	}
	mustClose(t, l)
	expectRollback(t, "after a start", dir)
}

// TestRollbackNeedsNoOtherTiles grows a log past a rollback. The tiles of the lost
// records must not stay: verification would find that they differ.
func TestRollbackNeedsNoOtherTiles(t *testing.T) {
	dir := t.TempDir()
	backup := t.TempDir()
	cfg := Config{Dir: dir, SegmentBytes: 50 << 10}
	l := openLog(t, cfg)
	writeIntents(t, l, 300)
	mustClose(t, l)
	audittest.CopySegments(t, dir, backup)
	l = openLog(t, cfg)
	writeIntents(t, l, 300)
	mustClose(t, l)
	for _, path := range audittest.Must(filepath.Glob(filepath.Join(dir, "seg-*"))) {
		os.Remove(path)
	}
	audittest.CopySegments(t, backup, dir)

	l = openLog(t, cfg)
	audittest.Must(l.AcceptRollback("bob@acme.example", ""))
	for range 4 {
		writeIntents(t, l, 100)
		mustClose(t, l)
		audittest.Verify(t, dir)
		l = openLog(t, cfg)
	}
	mustClose(t, l)
}

// TestI8TheLostCheckpointIsNeverReplaced makes it impossible to keep the checkpoint
// that shows a rollback. The log does not open.
func TestI8TheLostCheckpointIsNeverReplaced(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	writeRolledBackLog(t, dir)
	tiles := filepath.Join(dir, audit.TilesDir)
	os.Chmod(tiles, 0o500)
	defer os.Chmod(tiles, 0o700)

	if l, err := Open(Config{Dir: dir}, audittest.Key, audittest.Instance); err == nil {
		l.Close()
		t.Error("the log opened although the checkpoint that shows the rollback cannot be kept")
	}
}
