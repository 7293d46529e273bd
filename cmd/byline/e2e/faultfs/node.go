package faultfs

import (
	"context"
	"maps"
	"syscall"
	"time"

	gofuse "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file, a folder or a socket. What processes see of a folder is in the
// embedded Inode.
type node struct {
	gofuse.Inode
	fs *FS

	mode     uint32 // permissions
	kind     uint32 // S_IFSOCK for a socket; otherwise 0
	uid, gid uint32
	modified time.Time

	live, disk []byte           // content of a file
	dirty      []extent         // of live, that disk lacks
	onDisk     map[string]*node // entries of a folder that are on the disk; nil for a file
}

// extent is a range of bytes.
type extent struct{ from, to int }

var (
	_ = (gofuse.NodeOnAdder)((*node)(nil))
	_ = (gofuse.NodeGetattrer)((*node)(nil))
	_ = (gofuse.NodeSetattrer)((*node)(nil))
	_ = (gofuse.NodeOpener)((*node)(nil))
	_ = (gofuse.NodeCreater)((*node)(nil))
	_ = (gofuse.NodeMknoder)((*node)(nil))
	_ = (gofuse.NodeMkdirer)((*node)(nil))
	_ = (gofuse.NodeUnlinker)((*node)(nil))
	_ = (gofuse.NodeRmdirer)((*node)(nil))
	_ = (gofuse.NodeRenamer)((*node)(nil))
	_ = (gofuse.NodeReader)((*node)(nil))
	_ = (gofuse.NodeWriter)((*node)(nil))
	_ = (gofuse.NodeFsyncer)((*node)(nil))
	_ = (gofuse.NodeFlusher)((*node)(nil))
	_ = (gofuse.NodeStatfser)((*node)(nil))
)

// fromDisk returns a copy of the node as the disk has it.
func (n *node) fromDisk() *node {
	c := &node{fs: n.fs, mode: n.mode, uid: n.uid, gid: n.gid, modified: n.modified}
	if n.onDisk == nil {
		c.live, c.disk = append([]byte(nil), n.disk...), append([]byte(nil), n.disk...)
		return c
	}

	c.onDisk = map[string]*node{}
	for name, child := range n.onDisk {
		if child.kind == 0 {
			c.onDisk[name] = child.fromDisk()
		}
	}
	return c
}

// OnAdd shows the entries that are on the disk.
func (n *node) OnAdd(ctx context.Context) {
	for name, child := range n.onDisk {
		n.AddChild(name, n.NewPersistentInode(ctx, child, gofuse.StableAttr{Mode: child.stableMode()}), true)
	}
}

func (n *node) stableMode() uint32 {
	switch {
	case n.kind != 0:
		return n.kind
	case n.onDisk != nil:
		return syscall.S_IFDIR
	}
	return syscall.S_IFREG
}

func (n *node) path() string { return n.Path(nil) }

func (n *node) child(name string) string {
	if n.IsRoot() {
		return name
	}
	return n.path() + "/" + name
}

func (n *node) fill(a *fuse.Attr) {
	a.Mode = n.stableMode() | n.mode
	a.Size = uint64(len(n.live))
	a.Blocks = (a.Size + 511) / 512
	a.Uid, a.Gid = n.uid, n.gid
	a.Nlink = 1
	a.SetTimes(nil, &n.modified, &n.modified)
}

func (n *node) Getattr(_ context.Context, _ gofuse.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	n.fill(&out.Attr)
	return 0
}

func (n *node) Setattr(_ context.Context, _ gofuse.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()

	if size, ok := in.GetSize(); ok {
		if errno := n.fs.check(n.path(), int(size) > len(n.live), false); errno != 0 {
			return errno
		}
		n.resize(int(size))
	}
	if mode, ok := in.GetMode(); ok {
		n.mode = mode & 0o7777
	}
	if uid, ok := in.GetUID(); ok {
		n.uid = uid
	}
	if gid, ok := in.GetGID(); ok {
		n.gid = gid
	}
	n.fill(&out.Attr)
	return 0
}

// resize changes the length of a file.
func (n *node) resize(size int) {
	old := len(n.live)
	if size <= old {
		n.live = n.live[:size:size]
	} else {
		n.live = append(n.live, make([]byte, size-old)...)
		n.dirty = append(n.dirty, extent{old, size})
	}
	n.modified = time.Now()
}

func (n *node) Open(_ context.Context, flags uint32) (gofuse.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_TRUNC != 0 {
		n.fs.mu.Lock()
		defer n.fs.mu.Unlock()
		if errno := n.fs.check(n.path(), false, false); errno != 0 {
			return nil, 0, errno
		}
		n.resize(0)
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// make adds a new node to a folder.
func (n *node) make(ctx context.Context, name string, mode, kind uint32, folder bool, out *fuse.EntryOut) (*gofuse.Inode, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.check(n.child(name), true, false); errno != 0 {
		return nil, errno
	}

	c := &node{fs: n.fs, mode: mode & 0o7777, kind: kind, modified: time.Now()}
	if caller, ok := fuse.FromContext(ctx); ok {
		c.uid, c.gid = caller.Uid, caller.Gid
	}
	if folder {
		c.onDisk = map[string]*node{}
	}
	c.fill(&out.Attr)
	return n.NewPersistentInode(ctx, c, gofuse.StableAttr{Mode: c.stableMode()}), 0
}

func (n *node) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*gofuse.Inode, gofuse.FileHandle, uint32, syscall.Errno) {
	inode, errno := n.make(ctx, name, mode, 0, false, out)
	return inode, nil, fuse.FOPEN_KEEP_CACHE, errno
}

func (n *node) Mknod(ctx context.Context, name string, mode, _ uint32, out *fuse.EntryOut) (*gofuse.Inode, syscall.Errno) {
	return n.make(ctx, name, mode, mode&syscall.S_IFMT, false, out)
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*gofuse.Inode, syscall.Errno) {
	return n.make(ctx, name, mode, 0, true, out)
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	return n.fs.check(n.child(name), false, false)
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno { return n.Unlink(ctx, name) }

func (n *node) Rename(_ context.Context, name string, _ gofuse.InodeEmbedder, _ string, _ uint32) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	return n.fs.check(n.child(name), true, false)
}

func (n *node) Read(_ context.Context, _ gofuse.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if off >= int64(len(n.live)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, n.live[off:])]), 0
}

func (n *node) Write(_ context.Context, _ gofuse.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.check(n.path(), true, false); errno != 0 {
		return 0, errno
	}

	end := int(off) + len(data)
	if end > len(n.live) {
		n.resize(end)
	}
	copy(n.live[off:], data)
	n.dirty = append(n.dirty, extent{int(off), end})
	n.modified = time.Now()
	return uint32(len(data)), 0
}

// Fsync brings the content of a file, or the names in a folder, to the disk.
func (n *node) Fsync(_ context.Context, _ gofuse.FileHandle, _ uint32) syscall.Errno {
	n.fs.mu.Lock()
	defer n.fs.mu.Unlock()
	if errno := n.fs.check(n.path(), false, true); errno != 0 {
		return errno
	}

	n.fs.syncs++
	if n.onDisk != nil {
		n.syncNames()
	} else {
		n.syncContent()
	}
	if n.fs.fault == FailsPersists && n.fs.has(n.path()) {
		return syscall.EIO
	}
	return 0
}

func (n *node) syncContent() {
	switch {
	case len(n.disk) > len(n.live):
		n.disk = n.disk[:len(n.live):len(n.live)]
	case len(n.disk) < len(n.live):
		n.disk = append(n.disk, make([]byte, len(n.live)-len(n.disk))...)
	}
	for _, e := range n.dirty {
		from, to := min(e.from, len(n.live)), min(e.to, len(n.live))
		copy(n.disk[from:to], n.live[from:to])
	}
	n.dirty = n.dirty[:0]
}

func (n *node) syncNames() {
	names := map[string]*node{}
	for name, child := range n.Children() {
		names[name] = child.Operations().(*node)
	}
	clear(n.onDisk)
	maps.Copy(n.onDisk, names)
}

// Flush is called by close(2), which brings nothing to the disk.
func (n *node) Flush(context.Context, gofuse.FileHandle) syscall.Errno { return 0 }

// Statfs reports a disk with room for every preallocation.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.NameLen = 4096, 255
	out.Blocks, out.Bfree, out.Bavail = 1<<24, 1<<23, 1<<23
	return 0
}
