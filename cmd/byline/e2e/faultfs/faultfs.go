// Package faultfs is a file system for tests whose disk can fail, hang and lose its
// power. It keeps everything in memory, in two states: what processes see, and what
// is on the disk, which changes only by fsync(2) of a file or a folder. A power cut
// drops the difference.
package faultfs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	gofuse "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Fault is how the disk behaves.
type Fault string

// The faults. The empty one is none.
const (
	None          Fault = ""
	Fails         Fault = "fails"              // every operation that changes something: EIO, and it changes nothing
	FailsPersists Fault = "fails but persists" // fsync: EIO, after everything reached the disk
	Hangs         Fault = "hangs"              // every operation that changes something waits until the fault is gone
	ReadOnly      Fault = "read-only"          // every operation that changes something: EROFS
	Full          Fault = "full"               // writes that need room: ENOSPC
)

// FS is a mounted file system. Its methods may be called concurrently.
type FS struct {
	dir    string
	server *fuse.Server

	mu      sync.Mutex // guards what follows and everything in nodes
	root    *node
	fault   Fault
	paths   []string      // prefixes of the paths with the fault; none: all
	changed chan struct{} // closed when the fault changes
	syncs   int           // that reached the disk
}

// Mount mounts a file system at dir, which holds what dir held, all of it on the disk.
func Mount(dir string) (*FS, error) {
	f := &FS{dir: dir, changed: make(chan struct{})}
	root, err := f.load(dir)
	if err != nil {
		return nil, err
	}
	f.root = root
	return f, f.mount()
}

// load returns the node of a file or folder of another file system.
func (f *FS) load(path string) (*node, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	st := info.Sys().(*syscall.Stat_t)
	n := &node{fs: f, mode: uint32(info.Mode().Perm()), uid: st.Uid, gid: st.Gid, modified: info.ModTime()}

	switch {
	case info.Mode().IsRegular():
		content, err := os.ReadFile(path)
		n.live, n.disk = content, append([]byte(nil), content...)
		return n, err

	case info.IsDir():
		n.onDisk = map[string]*node{}
		entries, err := os.ReadDir(path)
		for _, e := range entries {
			if e.Type()&fs.ModeSocket != 0 {
				continue
			}
			child, err := f.load(filepath.Join(path, e.Name()))
			if err != nil {
				return nil, err
			}
			n.onDisk[e.Name()] = child
		}
		return n, err
	}
	return nil, fmt.Errorf("faultfs: %s is neither a file nor a folder", path)
}

// mount mounts the tree that is on the disk.
func (f *FS) mount() error {
	hour := time.Hour
	server, err := gofuse.Mount(f.dir, f.root, &gofuse.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "faultfs", DirectMountFlags: syscall.MS_NOSUID | syscall.MS_NODEV, MaxWrite: 1 << 20},
		EntryTimeout: &hour,
		AttrTimeout:  &hour,
		OnAdd:        nil,
	})
	f.server = server
	return err
}

// Unmount unmounts the file system. Its content is lost.
func (f *FS) Unmount() error {
	f.Set(None)
	var err error
	for range 100 { // a process that was killed may still have files open
		err = f.server.Unmount()
		if err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// Set sets the fault, for the files whose paths begin with one of the prefixes, or for
// all. Operations that hang go on, under the new fault.
func (f *FS) Set(fault Fault, prefixes ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.paths = fault, prefixes
	close(f.changed)
	f.changed = make(chan struct{})
}

// CutPower drops what is not on the disk, and mounts what is. No process may have a
// file open.
func (f *FS) CutPower() error {
	if err := f.Unmount(); err != nil {
		return err
	}

	f.mu.Lock()
	f.root = f.root.fromDisk()
	f.mu.Unlock()
	return f.mount()
}

// Syncs returns how often something was synced.
func (f *FS) Syncs() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs
}

// check returns the error with which an operation on path must fail now. It waits
// while the disk hangs. sync says that the operation is an fsync. The caller holds
// f.mu, which check gives back while it waits.
func (f *FS) check(path string, needsRoom, sync bool) syscall.Errno {
	for f.fault == Hangs && f.has(path) {
		changed := f.changed
		f.mu.Unlock()
		<-changed
		f.mu.Lock()
	}
	if !f.has(path) {
		return 0
	}

	switch {
	case f.fault == Fails:
		return syscall.EIO
	case f.fault == ReadOnly && !sync:
		return syscall.EROFS
	case f.fault == Full && needsRoom:
		return syscall.ENOSPC
	}
	return 0
}

// has reports whether the fault is that of the path.
func (f *FS) has(path string) bool {
	if len(f.paths) == 0 {
		return true
	}
	for _, p := range f.paths {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
