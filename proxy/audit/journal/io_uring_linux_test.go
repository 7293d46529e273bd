package journal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// mustOpenRing opens a ring that is closed at the end of the test. It skips the
// test if the kernel refuses a ring.
func mustOpenRing(t *testing.T) *ring {
	t.Helper()
	r, err := openRing()
	if err != nil {
		t.Skipf("the kernel refuses io_uring: %v", err)
	}
	t.Cleanup(func() {
		if r.memory != nil {
			if err := r.close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// TestRingReturnsTheErrorsOfFdatasync compares the two on descriptors that can be
// synced and on others.
func TestRingReturnsTheErrorsOfFdatasync(t *testing.T) {
	r := mustOpenRing(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	readEnd, writeEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer readEnd.Close()
	defer writeEnd.Close()

	for name, c := range map[string]struct {
		fd   int
		want error
	}{
		"a file":                {int(f.Fd()), nil},
		"a pipe":                {int(writeEnd.Fd()), syscall.EINVAL},
		"a closed descriptor":   {1 << 20, syscall.EBADF},
		"a negative descriptor": {-1, syscall.EBADF},
	} {
		t.Run(name, func(t *testing.T) {
			if err := syscall.Fdatasync(c.fd); !errors.Is(err, c.want) {
				t.Fatalf("fdatasync returned %v, want %v", err, c.want)
			}
			if err := r.sync(c.fd); !errors.Is(err, c.want) {
				t.Errorf("the ring returned %v, want %v", err, c.want)
			}
		})
	}
}

// TestRingsMissNoCompletion syncs several files at once on one processor, often.
// If the poller missed a completion, the test would hang.
func TestRingsMissNoCompletion(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}

	var running sync.WaitGroup
	for range 4 {
		r := mustOpenRing(t)
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		running.Go(func() {
			for i := range rounds {
				if _, err := f.WriteAt([]byte("line\n"), int64(i%100)); err != nil {
					t.Error(err)
					return
				}
				if err := r.sync(int(f.Fd())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

// TestFileWorksAfterItsRingFails closes the ring of an open file: the next Sync
// uses the system call, and so do the following ones.
func TestFileWorksAfterItsRingFails(t *testing.T) {
	created, err := osDisk{}.create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	f := created.(*osFile)
	if f.ring == nil {
		t.Skip("the kernel refuses io_uring")
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}

	if err := f.ring.fd.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if f.ring != nil {
		t.Error("the file still has its ring")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
