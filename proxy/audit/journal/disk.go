package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// disk is the file system as the writer uses it. Tests inject faults.
type disk interface {
	create(path string) (file, error) // truncates a file that exists
	open(path string) (file, error)   // fails if the file does not exist
	remove(path string) error
	rename(from, to string) error
	syncDir(dir string) error // makes creations, renames and removals in dir durable
}

// file is a segment as the writer uses it. One goroutine uses it at a time.
type file interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error

	// Sync returns nil once everything that was written, and the size of the
	// file, is on stable storage. After an error it is not known what is, and a
	// later Sync that returns nil does not tell.
	Sync() error

	Close() error
}

// osDisk is the file system of the operating system.
type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	return wrapFile(durable.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600))
}

func (osDisk) open(path string) (file, error) {
	return wrapFile(os.OpenFile(path, os.O_RDWR, 0))
}

func wrapFile(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}

	return newOSFile(f), nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) syncDir(dir string) error { return durable.SyncDir(dir) }

// lockDir locks the log in dir for this process. The lock ends when the file is
// closed or the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := durable.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: lock: %w", err)
	}

	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("audit: %s is written by another process: stop that byline, or give this one its own audit dir", dir)
		}
		return nil, fmt.Errorf("audit: lock %s: %w", dir, err)
	}

	return f, nil
}
