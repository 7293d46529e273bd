package journal

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring syncs files through io_uring(7). Go's network poller wakes the goroutine
// when the kernel has finished, so no thread blocks in the sync. With a blocked
// thread the scheduler would first have to notice it and to start another, and on
// few cores the requests would wait for that. One goroutine uses a ring at a time.
type ring struct {
	fd  *os.File
	raw syscall.RawConn // of fd

	memory  []byte // both queues: heads, tails, masks and the completions
	entries []byte // the entries of the submission queue

	// These point into memory. The kernel moves cqTail; the ring moves sqTail and
	// cqHead.
	sqTail *uint32
	cqHead *uint32
	cqTail *uint32

	sqMask           uint32
	cqMask           uint32
	completionOffset uint32 // of the completions in memory
}

// Constants of include/uapi/linux/io_uring.h.
const (
	opFsync           = 3          // IORING_OP_FSYNC
	fsyncDataSync     = 1          // IORING_FSYNC_DATASYNC
	featureSingleMmap = 1 << 0     // IORING_FEAT_SINGLE_MMAP
	mmapOffsetQueues  = 0          // IORING_OFF_SQ_RING
	mmapOffsetEntries = 0x10000000 // IORING_OFF_SQES
	entrySize         = 64         // sizeof(struct io_uring_sqe)
	completionSize    = 16         // sizeof(struct io_uring_cqe)
)

// ringSize is the number of entries of the submission queue. At most one request
// is in flight.
const ringSize = 2

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries, flags, sqCPU, sqIdle, features, wq uint32
	_                                                        [3]uint32
	sq                                                       struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// ringEntry is struct io_uring_sqe.
type ringEntry struct {
	op, flags  uint8
	priority   uint16
	fd         int32
	off, addr  uint64
	length     uint32
	fsyncFlags uint32
	userData   uint64
	_          [3]uint64
}

// ringCompletion is struct io_uring_cqe.
type ringCompletion struct {
	userData uint64
	result   int32
	flags    uint32
}

// openRing opens a ring. It fails if the kernel is older than 5.4 or does not
// allow io_uring, which the default seccomp filters of containers forbid.
func openRing() (*ring, error) {
	var p ringParams
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, ringSize, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}

	// os.NewFile registers only nonblocking descriptors with the poller.
	if err := unix.SetNonblock(int(fd), true); err != nil {
		return nil, errors.Join(err, unix.Close(int(fd)))
	}
	r := &ring{fd: os.NewFile(fd, "io_uring")}

	err := r.mapQueues(int(fd), &p)
	if err == nil {
		err = r.fd.SetReadDeadline(time.Time{}) // fails if the poller does not watch the descriptor
	}
	if err != nil {
		return nil, fmt.Errorf("io_uring: %w", errors.Join(err, r.close()))
	}

	return r, nil
}

// mapQueues maps the memory that the ring shares with the kernel.
func (r *ring) mapQueues(fd int, p *ringParams) (err error) {
	if p.features&featureSingleMmap == 0 {
		return errors.ErrUnsupported
	}

	const (
		protection = unix.PROT_READ | unix.PROT_WRITE
		shared     = unix.MAP_SHARED | unix.MAP_POPULATE
	)
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*completionSize)
	r.memory, err = unix.Mmap(fd, mmapOffsetQueues, int(size), protection, shared)
	if err != nil {
		return err
	}
	r.entries, err = unix.Mmap(fd, mmapOffsetEntries, int(p.sqEntries*entrySize), protection, shared)
	if err != nil {
		return err
	}

	r.sqTail = r.word(p.sq.tail)
	r.sqMask = *r.word(p.sq.mask)
	r.cqHead = r.word(p.cq.head)
	r.cqTail = r.word(p.cq.tail)
	r.cqMask = *r.word(p.cq.mask)
	r.completionOffset = p.cq.cqes

	// The array maps places in the queue to entries; here each to its own.
	for i := range p.sqEntries {
		*r.word(p.sq.array + 4*i) = i
	}

	r.raw, err = r.fd.SyscallConn()

	return err
}

// word returns the 32-bit word at an offset of the shared memory.
func (r *ring) word(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.memory[off])) }

// errNotSubmitted is in an error of sync that says nothing about the file: the
// kernel did not accept the request.
var errNotSubmitted = errors.New("io_uring: request not submitted")

// sync does what fdatasync(2) does for fd and returns its errors, or an error
// with errNotSubmitted. It does not return before the kernel has finished.
func (r *ring) sync(fd int) error {
	tail := *r.sqTail // only this goroutine writes it
	entry := (*ringEntry)(unsafe.Pointer(&r.entries[(tail&r.sqMask)*entrySize]))
	*entry = ringEntry{op: opFsync, fd: int32(fd), fsyncFlags: fsyncDataSync, userData: uint64(tail)}
	atomic.StoreUint32(r.sqTail, tail+1)

	var submitted uintptr
	var errno syscall.Errno
	err := r.raw.Control(func(ringFD uintptr) {
		submitted, _, errno = syscall.Syscall6(unix.SYS_IO_URING_ENTER, ringFD, 1, 0, 0, 0, 0)
	})
	if err != nil || submitted != 1 || errno != 0 {
		atomic.StoreUint32(r.sqTail, tail)
		return fmt.Errorf("%w: %w", errNotSubmitted, errors.Join(err, errno))
	}

	var done ringCompletion
	if err := r.raw.Read(func(uintptr) bool { return r.takeCompletion(&done) }); err != nil {
		return fmt.Errorf("io_uring: %w", err)
	}

	switch {
	case done.userData != uint64(tail):
		return errors.New("io_uring: completion of an unknown request")
	case done.result < 0:
		return os.NewSyscallError("fdatasync", syscall.Errno(-done.result))
	}

	return nil
}

// takeCompletion moves the next completion to into. It reports whether there was
// one.
func (r *ring) takeCompletion(into *ringCompletion) bool {
	head := *r.cqHead // only this goroutine writes it
	if head == atomic.LoadUint32(r.cqTail) {
		return false
	}

	*into = *(*ringCompletion)(unsafe.Pointer(&r.memory[r.completionOffset+(head&r.cqMask)*completionSize]))
	atomic.StoreUint32(r.cqHead, head+1)

	return true
}

// close frees the ring. No request may be in flight.
func (r *ring) close() error {
	err := r.fd.Close()
	for _, m := range [][]byte{r.memory, r.entries} {
		if m != nil {
			err = errors.Join(err, unix.Munmap(m))
		}
	}
	r.memory = nil
	r.entries = nil

	return err
}
