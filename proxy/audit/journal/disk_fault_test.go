package journal

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// faultDisk is the real disk until it is broken.
type faultDisk struct {
	osDisk
	mu    sync.Mutex
	fault string
}

func (d *faultDisk) set(fault string) { d.mu.Lock(); d.fault = fault; d.mu.Unlock() }
func (d *faultDisk) is(faults ...string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range faults {
		if d.fault == f {
			return true
		}
	}
	return false
}

func (d *faultDisk) create(path string) (file, error) {
	if d.is("no new files", "everything") {
		return nil, syscall.EMFILE
	}
	f, err := d.osDisk.create(path)
	return &faultFile{file: f, d: d}, err
}

func (d *faultDisk) open(path string) (file, error) {
	if d.is("everything") {
		return nil, syscall.EIO
	}
	f, err := d.osDisk.open(path)
	return &faultFile{file: f, d: d}, err
}

func (d *faultDisk) rename(from, to string) error {
	if d.is("no renames", "everything") {
		return syscall.EIO
	}
	return d.osDisk.rename(from, to)
}

func (d *faultDisk) syncDir(dir string) error {
	if d.is("folder sync EIO", "everything") {
		return syscall.EIO
	}
	return d.osDisk.syncDir(dir)
}

type extent struct{ off, n int64 }

type faultFile struct {
	file
	d     *faultDisk
	dirty []extent
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case f.d.is("ENOSPC"):
		return 0, syscall.ENOSPC
	case f.d.is("EIO", "everything"):
		return 0, syscall.EIO
	case f.d.is("short write"):
		n, _ := f.file.WriteAt(p[:len(p)/2], off)
		return n, io.ErrShortWrite
	case f.d.is("torn write"): // the end arrives, the beginning does not
		f.file.WriteAt(p[len(p)/2:], off+int64(len(p)/2))
		return 0, syscall.EIO
	case f.d.is("write fails but persists"):
		f.file.WriteAt(p, off)
		return 0, syscall.EIO
	}
	f.dirty = append(f.dirty, extent{off, int64(len(p))})
	return f.file.WriteAt(p, off)
}

func (f *faultFile) Sync() error {
	switch {
	case f.d.is("sync EIO", "everything"):
		return syscall.EIO
	case f.d.is("sync EIO, pages lost"):
		for _, x := range f.dirty {
			f.file.WriteAt(make([]byte, x.n), x.off)
		}
		f.dirty = nil
		return syscall.EIO
	case f.d.is("sync fails but persists"):
		f.file.Sync()
		return syscall.EIO
	case f.d.is("stuck"):
		for f.d.is("stuck") {
			time.Sleep(time.Millisecond)
		}
	case f.d.is("slow"):
		time.Sleep(300 * time.Millisecond)
	}
	f.dirty = nil
	return f.file.Sync()
}

func (f *faultFile) Truncate(n int64) error {
	if f.d.is("everything", "cut EIO") {
		return syscall.EIO
	}
	return f.file.Truncate(n)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if f.d.is("everything") {
		return 0, syscall.EIO
	}
	return f.file.ReadAt(p, off)
}

var faults = []struct {
	name   string
	steady bool // breaks also when no segment ends
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

// TestFaults breaks the disk, unbreaks it, and holds the log to its word: what
// was acknowledged is there, what was refused is not, and it goes on by itself.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		for _, segmentBytes := range []int64{4096, 1 << 20} {
			if segmentBytes > 4096 && !f.steady {
				continue
			}
			name := f.name
			if segmentBytes == 4096 {
				name += ", segment ends"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := &faultDisk{}
				dir := t.TempDir()
				l := openLog(t, Config{Dir: dir, SegmentBytes: segmentBytes, CheckpointEvery: time.Hour, disk: d})
				var kept, refused []string
				for range 2 {
					kept = append(kept, fill(t, l, 8)...)
					d.set(f.name)
					refused = append(refused, breakLog(t, l)...)
					d.set("")
					awaitRecovery(t, l)
				}
				kept = append(kept, fill(t, l, 8)...)
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				rep := audittest.Verify(t, dir, kept...)
				if !rep.Closed {
					t.Errorf("not closed: %+v", rep)
				}
				checkRefused(t, dir, refused, 2)
				if s := l.Stats(); s.Failures < 2 || uint64(s.Records) != rep.Records {
					t.Errorf("stats %+v, %d records", s, rep.Records)
				}
			})
		}
	}
}

// TestFaultsThenDeath breaks the disk and lets the process end before it heals.
func TestFaultsThenDeath(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			d := &faultDisk{}
			dir := t.TempDir()
			cfg := Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour, disk: d}
			l := openLog(t, cfg)
			kept := fill(t, l, 8)
			d.set(f.name)
			breakLog(t, l)
			if err := l.Close(); err == nil {
				t.Error("closed without error on a broken disk")
			}
			d.set("")
			if _, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil {
				t.Errorf("before repair: %v", err)
			}
			l = openLog(t, cfg)
			kept = append(kept, fill(t, l, 8)...)
			l.Close()
			audittest.Verify(t, dir, kept...)
		})
	}
}

func fill(t *testing.T, l *Log, n int) (ids []string) {
	t.Helper()
	for i := range n {
		k := l.Append(audittest.Intent(i))
		mustWait(t, k)
		ids = append(ids, k.ID())
	}
	return ids
}

// breakLog appends until the fault shows, then once more: refused at once.
func breakLog(t *testing.T, l *Log) (refused []string) {
	t.Helper()
	for i := range 100 {
		k := l.Append(audittest.Intent(i))
		err := k.Wait(context.Background())
		if err == nil {
			continue // the fault needs the segment's end
		}
		if !errors.Is(err, ErrNotRecorded) || l.Err() == nil {
			t.Errorf("broken: Wait %v, Err %v", err, l.Err())
		}
		again := l.Append(audittest.Intent(i))
		select {
		case <-again.result.done:
		default:
			t.Error("a broken log lets its caller wait")
		}
		if err := again.Wait(context.Background()); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("while broken: %v", err)
		}
		time.Sleep(50 * time.Millisecond) // at least one repair is tried in vain
		if l.Err() == nil {
			t.Error("recovered on a broken disk")
		}
		return []string{k.ID(), again.ID()}
	}
	t.Fatal("the fault never showed")
	return nil
}

func awaitRecovery(t *testing.T, l *Log) {
	t.Helper()
	for range 500 {
		if l.Err() == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("did not recover: %v", l.Err())
}

// checkRefused wants none of the refused ids and so many recovery records.
func checkRefused(t *testing.T, dir string, refused []string, recoveries int) {
	t.Helper()
	for _, id := range refused {
		if found, err := audit.Find(dir, id); err != nil || len(found) > 0 {
			t.Errorf("refused record is on record: %v %v", found, err)
		}
	}
	for r, err := range audit.Tail(context.Background(), dir, 1<<20, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == audit.KindRecovery && strings.Contains(r.Detail, "recording failed") {
			recoveries--
		}
	}
	if recoveries != 0 {
		t.Errorf("%d recovery records are missing", recoveries)
	}
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
	if err := last.Wait(ctx); !errors.Is(err, ErrNotRecorded) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("impatient wait: %v", err)
	}
	mustWait(t, first, last)
	d.set("")
	if g := l.Stats().Groups; g > 3 {
		t.Errorf("%d groups for what gathered behind one slow sync", g)
	}
}

func TestPendingIsBounded(t *testing.T) {
	d := &faultDisk{}
	l := openLog(t, Config{Dir: t.TempDir(), disk: d})
	d.set("stuck")
	big := strings.Repeat("x", segment.MaxLine/2)
	var err error
	for range 2*maxPending/len(big) + 8 {
		k := l.Append(&audit.Record{Kind: "task", Agent: big})
		select {
		case <-k.result.done:
			err = k.Wait(t.Context())
		default:
		}
	}
	d.set("")
	if !errors.Is(err, errBacklog) {
		t.Errorf("nothing was refused: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	l, err := Open(Config{Dir: filepath.Join(dir, "log"), SegmentBytes: 256 << 10}, audittest.Key, "full")
	if err != nil {
		t.Fatal(err)
	}
	kept := fill(t, l, 10)
	ballast := filepath.Join(dir, "ballast")
	f := audittest.Must(os.Create(ballast))
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		k := l.Append(&audit.Record{Kind: "task", Detail: strings.Repeat("x", 8000)})
		if err = k.Wait(t.Context()); err == nil {
			kept = append(kept, k.ID())
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || l.Err() == nil {
		t.Errorf("on a full disk: %v, Err %v", err, l.Err())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	awaitRecovery(t, l)
	kept = append(kept, fill(t, l, 10)...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	audittest.Verify(t, filepath.Join(dir, "log"), kept...)
}
