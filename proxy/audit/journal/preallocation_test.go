package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// TestSegmentsArePreallocated writes several segments, slowly enough that each
// next one is complete in time, and checks that no zeros are left after Close.
func TestSegmentsArePreallocated(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: time.Hour}
	l := openLog(t, cfg)
	preallocated := 0
	var ids []string
	for len(audittest.Must(segment.List(dir))) < 6 {
		ids = append(ids, writeIntents(t, l, 4)...)
		waitForPreallocation(t, dir, cfg.SegmentBytes)
		segments := audittest.Must(segment.List(dir))
		b := audittest.Must(os.ReadFile(segments[len(segments)-1].Path))
		if int64(len(b)) == cfg.SegmentBytes && bytes.HasSuffix(b, zeros[:1024]) {
			preallocated++
		}
	}
	if preallocated < 10 {
		t.Errorf("the segment was a preallocated one only %d times, want at least 10", preallocated)
	}

	// Close while a preallocated file exists.
	for !fileExists(filepath.Join(dir, nextFileName)) {
		ids = append(ids, writeIntents(t, l, 1)...)
	}
	mustClose(t, l)

	if report := audittest.Verify(t, dir, ids...); !report.Closed {
		t.Errorf("Verify returned %+v, want a closed log", report)
	}
	for _, s := range audittest.Must(segment.List(dir)) {
		if bytes.IndexByte(audittest.Must(os.ReadFile(s.Path)), 0) >= 0 {
			t.Errorf("%s holds zeros after Close", s.Path)
		}
	}
	if fileExists(filepath.Join(dir, nextFileName)) {
		t.Errorf("%s exists after Close", nextFileName)
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// waitForPreallocation waits until the file that is being preallocated, if there
// is one, has its size.
func waitForPreallocation(t *testing.T, dir string, size int64) {
	t.Helper()
	for range 2000 {
		info, err := os.Stat(filepath.Join(dir, nextFileName))
		if err != nil || info.Size() >= size {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s did not reach %d bytes within 2 s", nextFileName, size)
}

// TestFailedPreallocationRefusesNoRecord has a disk that fails only what a
// preallocation needs.
func TestFailedPreallocationRefusesNoRecord(t *testing.T) {
	d := &faultDisk{}
	d.set("no renames")
	cfg := Config{Dir: t.TempDir(), SegmentBytes: 16 << 10, CheckpointEvery: time.Hour, disk: d}
	l := openLog(t, cfg)
	var ids []string
	for len(audittest.Must(segment.List(cfg.Dir))) < 4 {
		ids = append(ids, writeIntents(t, l, 4)...)
		waitForPreallocation(t, cfg.Dir, cfg.SegmentBytes)
	}
	mustClose(t, l)

	audittest.Verify(t, cfg.Dir, ids...)
	if s := l.Stats(); s.Failures > 0 || s.Refused > 0 {
		t.Errorf("Stats returned %+v, want no failure and no refusal", s)
	}
}

// TestOpenAfterAKillDuringPreallocation opens logs with what a writer leaves that
// is killed at each stage of a preallocation.
func TestOpenAfterAKillDuringPreallocation(t *testing.T) {
	for name, c := range map[string]struct {
		leftFile func(records uint64) string // name of the file that is left
		size     int
	}{
		"incomplete": {func(uint64) string { return nextFileName }, 1000},
		"complete":   {func(uint64) string { return nextFileName }, 64 << 10},
		"renamed":    {segment.Name, 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Dir: t.TempDir(), SegmentBytes: 64 << 10, CheckpointEvery: time.Hour}
			l := openLog(t, cfg)
			ids := writeIntents(t, l, 5)
			mustClose(t, l)
			report := audittest.Verify(t, cfg.Dir, ids...)

			left := filepath.Join(cfg.Dir, c.leftFile(report.Records))
			if err := os.WriteFile(left, zeros[:c.size], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := audit.Verify(cfg.Dir, audittest.PublicKey, nil); err != nil {
				t.Errorf("before Open, Verify returned %v", err)
			}

			l = openLog(t, cfg)
			ids = append(ids, writeIntents(t, l, 5)...)
			mustClose(t, l)
			audittest.Verify(t, cfg.Dir, ids...)
			if fileExists(filepath.Join(cfg.Dir, nextFileName)) {
				t.Errorf("%s exists after Close", nextFileName)
			}
		})
	}
}

// TestNoPreallocationOnANearlyFullDisk writes to a file system that has room for
// the lines but not for four segments.
func TestNoPreallocationOnANearlyFullDisk(t *testing.T) {
	dir := filepath.Join(mountTmpfs(t, "8m"), "log")
	l := openLog(t, Config{Dir: dir, SegmentBytes: 4 << 20, CheckpointEvery: time.Hour})
	for i := range 4000 {
		ticket := l.Append(audittest.Intent(i))
		if i%100 == 0 {
			mustWait(t, ticket)
		}
		if fileExists(filepath.Join(dir, nextFileName)) {
			t.Fatalf("a segment of 4 MiB is being preallocated on a disk of 8 MiB, after %d records", i)
		}
	}
	mustClose(t, l)

	if report := audittest.Verify(t, dir); report.Records < 4000 {
		t.Errorf("the log has %d records, want at least 4000", report.Records)
	}
}
