package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// disk is what the writer needs of a file system; tests put faults behind it.
type disk interface {
	create(path string) (file, error) // empty, also if there was one
	open(path string) (file, error)   // must exist
	remove(path string) error
	rename(from, to string) error
	syncDir(dir string) error
}

// file is one segment being written.
type file interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error // nil: everything written is on stable storage
	Close() error
}

type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	return asFile(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600))
}

func (osDisk) open(path string) (file, error) { return asFile(os.OpenFile(path, os.O_RDWR, 0)) }

func asFile(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return newOSFile(f), nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error { return os.Remove(path) }

// syncDir makes names in dir durable.
func (osDisk) syncDir(dir string) error { return durable.SyncDir(dir) }

// lockDir holds dir for this process until the file is closed or the process
// ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
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
