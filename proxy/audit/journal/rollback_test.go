package journal

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestRollbackIsPutOnRecord puts segments back from an older copy and leaves the
// published checkpoint: the next start says so, and verification before it does.
func TestRollbackIsPutOnRecord(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	fill(t, l, 5)
	l.Close()
	backup := t.TempDir()
	audittest.CopySegments(t, dir, backup)
	l = openLog(t, Config{Dir: dir})
	fill(t, l, 5)
	l.Close()
	audittest.CopySegments(t, backup, dir)
	if rep, err := audit.Verify(dir, audittest.PublicKey, nil); !errors.Is(err, audit.ErrBroken) || !strings.Contains(rep.Bad.Why, "older copy") {
		t.Errorf("before the start: %v", err)
	}
	l = openLog(t, Config{Dir: dir})
	fill(t, l, 1)
	l.Close()
	if !alerted(t, dir, "rolled_back") {
		t.Error("the start does not put it on record")
	}
	if ahead := audittest.Must(filepath.Glob(filepath.Join(dir, audit.TilesDir, "checkpoint.ahead-*"))); len(ahead) != 1 {
		t.Errorf("the checkpoint that shows it is gone: %v", ahead)
	}
	audittest.Verify(t, dir)
}
