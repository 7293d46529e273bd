package proxy

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// spoolingTasks is how many tasks may keep as many files on disk as one task may.
	spoolingTasks = 4
	// minFreeDisk is what spooling leaves free on the file system, which also holds the
	// record: without room for the record nothing is sent.
	minFreeDisk = 512 << 20
	// freeDiskEvery is after how many bytes the free space is looked at again.
	freeDiskEvery = 1 << 20
)

// errSpoolFull reports that the task, or all tasks, keep as many files as they may, or
// that the disk is almost full.
var errSpoolFull = errors.New("no room for the files of uploads")

// spool holds files of an upload until the fields after them are known. Only this
// process can read it (mode 0600). It has no name, so that it is gone when it is closed
// or the process ends, however that happens.
type spool struct {
	*os.File
	server  *Server
	task    *task
	written int64 // counted in server.spooled and task.spooled
	checked int64 // written when the free space was looked at last
	closed  atomic.Bool
}

// openSpool creates a spool for an upload of a task.
func (s *Server) openSpool(t *task) (*spool, error) {
	f, err := os.CreateTemp(s.opt.SpoolDir, "upload-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return &spool{File: f, server: s, task: t, checked: -freeDiskEvery}, nil
}

// Write implements io.Writer. It fails with errSpoolFull rather than use more than the
// task's share of the disk.
func (s *spool) Write(p []byte) (int, error) {
	n, limit := int64(len(p)), s.server.opt.Wire.MaxSpooledFiles
	s.written += n
	ofTask, ofAll := s.task.spooled.Add(n), s.server.spooled.Add(n)
	if ofTask > limit || ofAll > spoolingTasks*limit {
		return 0, errSpoolFull
	}

	if s.written-s.checked >= freeDiskEvery {
		s.checked = s.written
		var fs unix.Statfs_t
		if unix.Fstatfs(int(s.Fd()), &fs) == nil && fs.Bavail*uint64(fs.Bsize) < minFreeDisk {
			return 0, errSpoolFull
		}
	}
	return s.File.Write(p)
}

// Close frees the disk. Later calls do nothing.
func (s *spool) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.task.spooled.Add(-s.written)
	s.server.spooled.Add(-s.written)
	return s.File.Close()
}

// closeSpool frees the disk that the exchange used.
func (x *exchange) closeSpool() {
	if x.spool != nil {
		_ = x.spool.Close()
	}
}
