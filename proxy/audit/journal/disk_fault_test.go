package journal

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// faultDisk is the real disk until a fault is set.
type faultDisk struct {
	osDisk
	mu    sync.Mutex
	fault string // one of those below; empty if the disk works
}

func (d *faultDisk) set(fault string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// has reports whether one of the faults is set.
func (d *faultDisk) has(faults ...string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(faults, d.fault)
}

func (d *faultDisk) create(path string) (file, error) {
	if d.has("no new files", "everything") {
		return nil, syscall.EMFILE
	}
	f, err := d.osDisk.create(path)
	return &faultFile{file: f, disk: d}, err
}

func (d *faultDisk) open(path string) (file, error) {
	if d.has("everything") {
		return nil, syscall.EIO
	}
	f, err := d.osDisk.open(path)
	return &faultFile{file: f, disk: d}, err
}

func (d *faultDisk) rename(from, to string) error {
	if d.has("no renames", "everything") {
		return syscall.EIO
	}
	return d.osDisk.rename(from, to)
}

func (d *faultDisk) syncDir(dir string) error {
	if d.has("folder sync EIO", "everything") {
		return syscall.EIO
	}
	return d.osDisk.syncDir(dir)
}

// extent is a range of bytes of a file.
type extent struct{ off, length int64 }

// faultFile is a file on a faultDisk.
type faultFile struct {
	file
	disk  *faultDisk
	dirty []extent // written since the last sync
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	half := len(p) / 2
	switch {
	case f.disk.has("ENOSPC"):
		return 0, syscall.ENOSPC
	case f.disk.has("EIO", "everything"):
		return 0, syscall.EIO
	case f.disk.has("short write"):
		n, _ := f.file.WriteAt(p[:half], off)
		return n, io.ErrShortWrite
	case f.disk.has("torn write"): // only the second half arrives
		f.file.WriteAt(p[half:], off+int64(half))
		return 0, syscall.EIO
	case f.disk.has("write fails but persists"):
		f.file.WriteAt(p, off)
		return 0, syscall.EIO
	}

	f.dirty = append(f.dirty, extent{off, int64(len(p))})
	return f.file.WriteAt(p, off)
}

func (f *faultFile) Sync() error {
	switch {
	case f.disk.has("sync EIO", "everything"):
		return syscall.EIO
	case f.disk.has("sync EIO, pages lost"):
		for _, e := range f.dirty {
			f.file.WriteAt(make([]byte, e.length), e.off)
		}
		f.dirty = nil
		return syscall.EIO
	case f.disk.has("sync fails but persists"):
		f.file.Sync()
		return syscall.EIO
	case f.disk.has("stuck"):
		for f.disk.has("stuck") {
			time.Sleep(time.Millisecond)
		}
	case f.disk.has("slow"):
		time.Sleep(300 * time.Millisecond)
	}

	f.dirty = nil
	return f.file.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	if f.disk.has("everything", "cut EIO") {
		return syscall.EIO
	}
	return f.file.Truncate(size)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if f.disk.has("everything") {
		return 0, syscall.EIO
	}
	return f.file.ReadAt(p, off)
}

var faults = []struct {
	name        string
	everyCommit bool // fails every commit, not only those that end a segment
}{
	{"ENOSPC", true},
	{"EIO", true},
	{"short write", true},
	{"torn write", true},
	{"write fails but persists", true},
	{"sync EIO", true},
	{"sync EIO, pages lost", true},
	{"sync fails but persists", true},
	{"everything", true},
	{"no new files", false},
	{"folder sync EIO", false},
	{"cut EIO", false},
}

// TestLogRecoversFromDiskFaults sets and clears each fault twice. Acknowledged
// records must be in the log, refused ones must not, and the log must continue
// without help.
func TestLogRecoversFromDiskFaults(t *testing.T) {
	for _, fault := range faults {
		for _, segmentBytes := range []int64{4096, 1 << 20} {
			name := fault.name
			if segmentBytes == 4096 {
				name += ", segments end"
			} else if !fault.everyCommit {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := &faultDisk{}
				dir := t.TempDir()
				l := openLog(t, Config{Dir: dir, SegmentBytes: segmentBytes, CheckpointEvery: time.Hour, disk: d})
				var ids, refused []string
				for range 2 {
					ids = append(ids, writeIntents(t, l, 8)...)
					d.set(fault.name)
					refused = append(refused, appendUntilFailure(t, l)...)
					d.set("")
					waitForRecovery(t, l)
				}
				ids = append(ids, writeIntents(t, l, 8)...)
				mustClose(t, l)

				report := audittest.Verify(t, dir, ids...)
				if !report.Closed {
					t.Errorf("Verify returned %+v, want a closed log", report)
				}
				checkRefused(t, dir, refused)
				if n := countDiskRecoveries(t, dir); n != 2 {
					t.Errorf("the log has %d records of a recovery from a disk failure, want 2", n)
				}
				if s := l.Stats(); s.Failures < 2 || uint64(s.Records) != report.Records {
					t.Errorf("Stats returned %+v for a log of %d records with two failures", s, report.Records)
				}
			})
		}
	}
}

// TestLogOpensAfterCloseOnABrokenDisk closes the log while each fault is set, as
// a server does that is stopped before the disk works again.
func TestLogOpensAfterCloseOnABrokenDisk(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			d := &faultDisk{}
			cfg := Config{Dir: t.TempDir(), SegmentBytes: 4096, CheckpointEvery: time.Hour, disk: d}
			l := openLog(t, cfg)
			ids := writeIntents(t, l, 8)
			d.set(fault.name)
			appendUntilFailure(t, l)
			if err := l.Close(); err == nil {
				t.Error("Close returned nil on a broken disk")
			}

			d.set("")
			if _, err := audit.Verify(cfg.Dir, audittest.PublicKey, nil); err != nil {
				t.Errorf("before Open, Verify returned %v", err)
			}
			l = openLog(t, cfg)
			ids = append(ids, writeIntents(t, l, 8)...)
			mustClose(t, l)
			audittest.Verify(t, cfg.Dir, ids...)
		})
	}
}

// appendUntilFailure appends records until the fault that is set shows, and one
// more, which must be refused at once. It returns the IDs of the refused records.
func appendUntilFailure(t *testing.T, l *Log) (refused []string) {
	t.Helper()
	for i := range 100 {
		ticket := l.Append(audittest.Intent(i))
		err := ticket.Wait(context.Background())
		if err == nil {
			continue // the segment has not ended yet
		}
		if !errors.Is(err, ErrNotRecorded) || l.Err() == nil {
			t.Errorf("Wait returned %v and Err %v, want ErrNotRecorded and the failure", err, l.Err())
		}

		next := l.Append(audittest.Intent(i))
		select {
		case <-next.result.done:
		default:
			t.Error("a record that arrives after the failure is not refused at once")
		}
		if err := next.Wait(context.Background()); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("after the failure Wait returned %v, want ErrNotRecorded", err)
		}

		time.Sleep(2*firstRepairPause + 10*time.Millisecond) // at least one repair fails
		if l.Err() == nil {
			t.Error("the log recovered while the fault was set")
		}
		return []string{ticket.ID(), next.ID()}
	}
	t.Fatal("no record was refused while the fault was set")
	return nil
}

func waitForRecovery(t *testing.T, l *Log) {
	t.Helper()
	waitUntil(t, "the recovery", func() bool { return l.Err() == nil })
}

// checkRefused checks that none of the records is in the log.
func checkRefused(t *testing.T, dir string, ids []string) {
	t.Helper()
	for _, id := range ids {
		found, err := audit.Find(dir, id)
		if err != nil || len(found) > 0 {
			t.Errorf("Find of the refused record %s returned %v, %v; want none", id, found, err)
		}
	}
}

// countDiskRecoveries counts the records of a recovery from a disk failure.
func countDiskRecoveries(t *testing.T, dir string) (n int) {
	t.Helper()
	for r, err := range audit.Tail(context.Background(), dir, 1<<20, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == audit.KindRecovery && r.Code == audit.CodeDisk && strings.Contains(r.Detail, "recording failed") {
			n++
		}
	}
	return n
}

func TestSlowDiskDoesNotBlockAppend(t *testing.T) {
	d := &faultDisk{}
	l := openLog(t, Config{Dir: t.TempDir(), disk: d})
	d.set("slow")
	first := l.Append(audittest.Intent(0))
	began := time.Now()
	var last Ticket
	for i := range 100 {
		last = l.Append(audittest.Intent(i))
	}
	if took := time.Since(began); took > 200*time.Millisecond {
		t.Errorf("100 appends took %v on a disk that syncs in 300 ms", took)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := last.Wait(ctx)
	if !errors.Is(err, ErrNotRecorded) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for 1 ms returned %v, want ErrNotRecorded and DeadlineExceeded", err)
	}

	mustWait(t, first, last)
	d.set("")
	if groups := l.Stats().Groups; groups > 3 {
		t.Errorf("101 records made %d groups on a slow disk, want at most 3", groups)
	}
}

func TestPendingGroupIsBounded(t *testing.T) {
	d := &faultDisk{}
	l := openLog(t, Config{Dir: t.TempDir(), disk: d})
	d.set("stuck")
	text := strings.Repeat("x", segment.MaxLine/2)
	var refusal error
	for range 2*maxPending/len(text) + 8 {
		ticket := l.Append(&audit.Record{Kind: "task", Agent: text})
		select {
		case <-ticket.result.done:
			refusal = ticket.Wait(t.Context())
		default:
		}
	}
	d.set("")

	if !errors.Is(refusal, errBacklog) {
		t.Errorf("on a disk that is stuck the last refusal is %v, want errBacklog", refusal)
	}
}

// mountTmpfs mounts a file system of that size. It skips the test if it may not.
func mountTmpfs(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestLogRecoversFromAFullDisk fills a small file system and makes room again.
func TestLogRecoversFromAFullDisk(t *testing.T) {
	mount := mountTmpfs(t, "3m")
	dir := filepath.Join(mount, "log")
	l, err := Open(Config{Dir: dir, SegmentBytes: 256 << 10}, audittest.Key, "full")
	if err != nil {
		t.Fatal(err)
	}
	ids := writeIntents(t, l, 10)

	ballast := filepath.Join(mount, "ballast")
	f := audittest.Must(os.Create(ballast))
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}

	err = nil
	for err == nil {
		ticket := l.Append(&audit.Record{Kind: "task", Detail: strings.Repeat("x", 8000)})
		err = ticket.Wait(t.Context())
		if err == nil {
			ids = append(ids, ticket.ID())
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || l.Err() == nil {
		t.Errorf("on a full disk Wait returned %v and Err %v, want ENOSPC and the failure", err, l.Err())
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	waitForRecovery(t, l)
	ids = append(ids, writeIntents(t, l, 10)...)
	mustClose(t, l)
	audittest.Verify(t, dir, ids...)
}
