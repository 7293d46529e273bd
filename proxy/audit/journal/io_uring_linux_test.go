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

// aRing opens a ring, or skips where the kernel gives none.
func aRing(t *testing.T) *ring {
	t.Helper()
	r, err := openRing()
	if err != nil {
		t.Skipf("no io_uring here: %v", err)
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

// TestRingSaysWhatFdatasyncSays compares the two on files that can be made
// durable and on such that cannot.
func TestRingSaysWhatFdatasyncSays(t *testing.T) {
	r := aRing(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	for name, c := range map[string]struct {
		fd   int
		want error
	}{
		"a file":                      {int(f.Fd()), nil},
		"a pipe":                      {int(write.Fd()), syscall.EINVAL},
		"a descriptor that is closed": {1 << 20, syscall.EBADF},
		"no descriptor":               {-1, syscall.EBADF},
	} {
		t.Run(name, func(t *testing.T) {
			if plain := syscall.Fdatasync(c.fd); plain != nil && !errors.Is(plain, c.want) || plain == nil && c.want != nil {
				t.Fatalf("fdatasync says %v, want %v", plain, c.want)
			}
			if err := r.sync(c.fd); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestRingsLoseNoAnswer has several files made durable at once on one processor,
// often: an answer that the poller misses would hang here.
func TestRingsLoseNoAnswer(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	var all sync.WaitGroup
	for range 4 {
		r := aRing(t)
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all.Go(func() {
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
	all.Wait()
}

// TestFileGoesOnWithoutItsRing takes the ring from an open file: the next Sync
// and those after it are the system call's.
func TestFileGoesOnWithoutItsRing(t *testing.T) {
	file, err := osDisk{}.create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	f := file.(*osFile)
	if f.ring == nil {
		t.Skip("no io_uring here")
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
		t.Error("the ring is still there")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
