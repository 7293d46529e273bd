package journal

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// osFile is a file of the operating system. It syncs with fdatasync, which unlike
// fsync writes no metadata that reading does not need, so it writes none at all
// after a write over preallocated zeros.
type osFile struct {
	*os.File
	ring *ring // syncs without blocking a thread; nil if the kernel refused one
}

func newOSFile(f *os.File) *osFile {
	r, _ := openRing() // without it the file works the same but costs more processor

	return &osFile{f, r}
}

// Sync implements file.
func (f *osFile) Sync() error {
	if f.ring != nil {
		err := f.ring.sync(int(f.Fd()))
		if !errors.Is(err, errNotSubmitted) {
			return err
		}

		// The file was not touched, so the system call below decides.
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

// Close closes the file and its ring.
func (f *osFile) Close() error {
	var err error
	if f.ring != nil {
		err = f.ring.close()
		f.ring = nil
	}

	return errors.Join(err, f.File.Close())
}

// freeBytes returns the free space on the file system of dir that this user may
// use.
func freeBytes(dir string) (free uint64, known bool) {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return 0, false
	}

	return fs.Bavail * uint64(fs.Bsize), true
}
