package journal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

func TestOpenRefusesASecondWriterInTheProcess(t *testing.T) {
	dir := t.TempDir()
	openLog(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir}, audittest.Key, "test-2")
	if err == nil || !strings.Contains(err.Error(), "stop that byline") {
		t.Errorf("Open returned %v, want an error that says to stop the other byline", err)
	}
}

// TestOpenRefusesASecondProcess lets a second process open a log that the first
// one writes.
func TestOpenRefusesASecondProcess(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	ids := writeIntents(t, l, 5)

	second := exec.Command(os.Args[0])
	second.Env = append(os.Environ(), childEnv+"="+dir)
	output, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "stop that byline") {
		t.Errorf("the second process ended with %v and printed %s; want an error that says to stop the other byline", err, output)
	}

	ids = append(ids, writeIntents(t, l, 5)...)
	mustClose(t, l)
	audittest.Verify(t, dir, ids...)
}

func TestOpenRefusesAnotherKey(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	l.Append(audittest.Intent(1))
	mustClose(t, l)

	other := audittest.Must(NewKey())
	_, err := Open(Config{Dir: dir}, other, "x")
	if err == nil || !strings.Contains(err.Error(), "restore the key") {
		t.Errorf("Open with another key returned %v, want an error that says to restore the key", err)
	}

	openLog(t, Config{Dir: dir}) // the failed Open has unlocked the directory
}

// writeClosedLog writes a closed log of one segment and returns its directory,
// the path of the segment and its content.
func writeClosedLog(t *testing.T) (dir, path string, content []byte) {
	t.Helper()
	dir = t.TempDir()
	l := openLog(t, Config{Dir: dir})
	mustWait(t, l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2)))
	mustClose(t, l)
	path = filepath.Join(dir, segment.Name(0))
	return dir, path, audittest.Must(os.ReadFile(path))
}

func TestOpenCutsATornTail(t *testing.T) {
	const half = `{"v":1,"se`
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	for name, c := range map[string]struct {
		tail string
		cut  int64 // bytes that the recovery record must report
	}{
		"half a line":           {half, 10},
		"half a line and zeros": {half + zeros(5000), 10},
		"a hole in a group":     {zeros(512) + `"x"}` + "\n" + zeros(512), 512 + 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path, content := writeClosedLog(t)
			os.WriteFile(path, append(content, c.tail...), 0o600)
			report, err := audit.Verify(dir, audittest.PublicKey, nil)
			if err != nil || report.Unfinished != c.cut {
				t.Errorf("before Open, Verify returned %+v, %v; want %d unfinished bytes", report, err, c.cut)
			}

			mustClose(t, openLog(t, Config{Dir: dir}))
			audittest.Verify(t, dir)
			var reported int64 = -1
			for r := range audit.Tail(t.Context(), dir, 2, false) {
				if r.Kind == audit.KindRecovery {
					reported = r.Cut
				}
			}
			if reported != c.cut {
				t.Errorf("the recovery record reports %d bytes, want %d", reported, c.cut)
			}
		})
	}
}

func TestOpenRefusesAChangedSegment(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"a changed line": func(b []byte) []byte {
			b[200] ^= 1
			return b
		},
		"a line that is not a record": func(b []byte) []byte { return append(b, "{}\n"...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, path, content := writeClosedLog(t)
			os.WriteFile(path, change(content), 0o600)
			_, err := Open(Config{Dir: dir}, audittest.Key, "x")
			if err == nil || !strings.Contains(err.Error(), "byline audit verify") {
				t.Errorf("Open returned %v, want an error that names byline audit verify", err)
			}
		})
	}
}

// TestOpenFailsWhenItCannotStartASegment opens a log whose last segment is full
// and torn, on a disk that creates no files: the record of the recovery has no
// segment to go to.
func TestOpenFailsWhenItCannotStartASegment(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 1 << 20})
	ids := writeIntents(t, l, 8)
	mustClose(t, l)
	path := filepath.Join(dir, segment.Name(0))
	os.WriteFile(path, append(audittest.Must(os.ReadFile(path)), `{"v":1`...), 0o600)

	d := &faultDisk{}
	d.set("no new files")
	_, err := Open(Config{Dir: dir, SegmentBytes: 4096, disk: d}, audittest.Key, audittest.Instance)
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("Open returned %v, want EMFILE", err)
	}

	d.set("")
	mustClose(t, openLog(t, Config{Dir: dir, SegmentBytes: 4096, disk: d}))
	audittest.Verify(t, dir, ids...)
}
