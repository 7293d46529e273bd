package journal

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestRollbackIsPutOnRecord restores the segments from an older copy and leaves
// the published checkpoint.
func TestRollbackIsPutOnRecord(t *testing.T) {
	dir := t.TempDir()
	backup := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	writeIntents(t, l, 5)
	mustClose(t, l)
	audittest.CopySegments(t, dir, backup)
	l = openLog(t, Config{Dir: dir})
	writeIntents(t, l, 5)
	mustClose(t, l)
	audittest.CopySegments(t, backup, dir)

	report, err := audit.Verify(dir, audittest.PublicKey, nil)
	if !errors.Is(err, audit.ErrBroken) || !strings.Contains(report.Bad.Why, "older copy") {
		t.Errorf("before Open, Verify returned %v; want ErrBroken because of an older copy", err)
	}

	l = openLog(t, Config{Dir: dir})
	writeIntents(t, l, 1)
	mustClose(t, l)
	if !hasAlert(t, dir, "rolled_back") {
		t.Error("the log has no alert rolled_back")
	}
	kept := audittest.Must(filepath.Glob(filepath.Join(dir, audit.TilesDir, "checkpoint.ahead-*")))
	if len(kept) != 1 {
		t.Errorf("the checkpoint that shows the rollback was kept in %v, want one file", kept)
	}
	audittest.Verify(t, dir)
}
