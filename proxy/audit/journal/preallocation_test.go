package journal

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// TestSegmentsArePreparedAhead writes a log of several segments slowly enough
// that each next one is filled with zeros in time, and wants nothing of the
// zeros left when it is closed.
func TestSegmentsArePreparedAhead(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: time.Hour})
	prepared := 0
	var ids []string
	for len(audittest.Must(segment.List(dir))) < 6 {
		for range 4 {
			k := l.Append(audittest.Intent(len(ids)))
			mustWait(t, k)
			ids = append(ids, k.ID())
		}
		awaitSpare(t, dir, l)
		segs := audittest.Must(segment.List(dir))
		if b := audittest.Must(os.ReadFile(segs[len(segs)-1].Path)); len(b) == 64<<10 && bytes.HasSuffix(b, zeros[:1024]) {
			prepared++
		}
	}
	if prepared < 10 {
		t.Errorf("%d times only was the segment one that had been filled", prepared)
	}
	for spare := filepath.Join(dir, nextFileName); ; { // one that lies ready when the log is closed
		if _, err := os.Stat(spare); err == nil {
			break
		}
		ids = append(ids, fill(t, l, 1)...)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if rep := audittest.Verify(t, dir, ids...); !rep.Closed {
		t.Errorf("not closed: %+v", rep)
	}
	for _, s := range audittest.Must(segment.List(dir)) {
		if bytes.IndexByte(audittest.Must(os.ReadFile(s.Path)), 0) >= 0 {
			t.Errorf("%s holds zeros", s.Path)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, nextFileName)); !os.IsNotExist(err) {
		t.Errorf("a spare is left: %v", err)
	}
}

// awaitSpare waits until the spare, where one is being made, is whole.
func awaitSpare(t *testing.T, dir string, l *Log) {
	t.Helper()
	for range 2000 {
		st, err := os.Stat(filepath.Join(dir, nextFileName))
		if err != nil || st.Size() >= l.cfg.SegmentBytes {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the spare is never whole")
}

// TestSpareThatFailsIsDoneWithout breaks what only a spare needs: no record is
// refused for it.
func TestSpareThatFailsIsDoneWithout(t *testing.T) {
	d := &faultDisk{}
	d.set("no renames")
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 16 << 10, CheckpointEvery: time.Hour, disk: d})
	var ids []string
	for len(audittest.Must(segment.List(dir))) < 4 {
		ids = append(ids, fill(t, l, 4)...)
		awaitSpare(t, dir, l)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	audittest.Verify(t, dir, ids...)
	if s := l.Stats(); s.Failures > 0 || s.Refused > 0 {
		t.Errorf("%+v", s)
	}
}

// TestKilledWithASpare opens a log whose writer was killed at each moment of a
// spare's life.
func TestKilledWithASpare(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, dir string, next uint64){
		"while it was filled": func(t *testing.T, dir string, _ uint64) {
			leaveFile(t, filepath.Join(dir, nextFileName), zeros[:1000])
		},
		"when it was whole": func(t *testing.T, dir string, _ uint64) {
			leaveFile(t, filepath.Join(dir, nextFileName), zeros[:64<<10])
		},
		"when it had its name and no line": func(t *testing.T, dir string, next uint64) {
			leaveFile(t, filepath.Join(dir, segment.Name(next)), zeros[:64<<10])
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: time.Hour}
			l := openLog(t, cfg)
			ids := fill(t, l, 5)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			rep := audittest.Verify(t, dir, ids...)
			leave(t, dir, rep.Records)
			if _, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil {
				t.Errorf("before the start: %v", err)
			}
			l = openLog(t, cfg)
			ids = append(ids, fill(t, l, 5)...)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			audittest.Verify(t, dir, ids...)
			if _, err := os.Stat(filepath.Join(dir, nextFileName)); !os.IsNotExist(err) {
				t.Errorf("a spare is left: %v", err)
			}
		})
	}
}

func leaveFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNoSpareOnADiskThatIsNearlyFull writes on a small file system: the space
// is the lines', not the zeros'.
func TestNoSpareOnADiskThatIsNearlyFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	log := filepath.Join(dir, "log")
	l := openLog(t, Config{Dir: log, SegmentBytes: 4 << 20, CheckpointEvery: time.Hour})
	for i := range 4000 {
		k := l.Append(audittest.Intent(i))
		if i%100 == 0 {
			mustWait(t, k)
		}
		if _, err := os.Stat(filepath.Join(log, nextFileName)); err == nil {
			t.Fatalf("a spare of 4 MiB was begun with 8 MiB in all, after %d records", i)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	records := 0
	for _, err := range audit.Tail(context.Background(), log, 1<<20, false) {
		if err != nil {
			t.Fatal(err)
		}
		records++
	}
	if records < 4000 {
		t.Errorf("%d records of 4000", records)
	}
}
