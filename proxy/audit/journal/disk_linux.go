package journal

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// osFile is a file of the system. Its ring makes it durable without a blocked
// thread; where there is none, fdatasync does. On a segment filled with zeros
// ahead of time no metadata changes, so it costs less than fsync.
type osFile struct {
	*os.File
	ring *ring // nil: the kernel gives none
}

func newOSFile(f *os.File) *osFile {
	r, _ := openRing() // without it everything works, for more of the processor
	return &osFile{f, r}
}

// Sync returns once everything written is on stable storage, or never will be.
func (f *osFile) Sync() error {
	if f.ring != nil {
		err := f.ring.sync(int(f.Fd()))
		if !errors.Is(err, errNotAsked) {
			return err
		}
		_ = f.ring.close()
		f.ring = nil
	}
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

func (f *osFile) Close() error {
	var err error
	if f.ring != nil {
		err = f.ring.close()
		f.ring = nil
	}
	return errors.Join(err, f.File.Close())
}

// freeBytes is what the file system of dir has left for this user.
func freeBytes(dir string) (free uint64, known bool) {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}
