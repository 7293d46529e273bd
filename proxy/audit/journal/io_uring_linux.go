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

// ring asks the kernel through io_uring(7) to make a file durable. Go's poller
// says when it has: no thread of ours blocks meanwhile, so on few cores the
// exchanges go on, where the scheduler would need to notice a blocked thread
// and wake another for them. One goroutine uses it at a time.
type ring struct {
	fd      *os.File
	raw     syscall.RawConn
	memory  []byte // the two queues' heads, tails and completions
	entries []byte // of the submission queue
	sqTail  *uint32
	sqMask  uint32
	cqHead  *uint32
	cqTail  *uint32
	cqMask  uint32
	cqes    uint32 // offset of the completions in memory
}

// What include/uapi/linux/io_uring.h says, as far as it is used here.
const (
	ringPlaces       = 2 // one request is under way at most
	opFsync          = 3
	fsyncDataOnly    = 1
	featOneMap       = 1 << 0
	offRings         = 0
	offEntries       = 0x10000000
	sizeOfEntry      = 64
	sizeOfCompletion = 16
)

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

type ringEntry struct {
	op, flags  uint8
	priority   uint16
	fd         int32
	off, addr  uint64
	length     uint32
	fsyncFlags uint32
	token      uint64
	_          [3]uint64
}

type ringCompletion struct {
	token  uint64
	result int32
	flags  uint32
}

// openRing fails where the kernel is old (before 5.4) or io_uring is not
// allowed, as containers' default filters have it.
func openRing() (*ring, error) {
	var p ringParams
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, ringPlaces, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	if err := unix.SetNonblock(int(fd), true); err != nil { // so that the poller takes it
		return nil, errors.Join(err, unix.Close(int(fd)))
	}
	r := &ring{fd: os.NewFile(fd, "io_uring")}
	err := r.mapQueues(int(fd), &p)
	if err == nil {
		err = r.fd.SetReadDeadline(time.Time{}) // an error tells that it is not polled
	}
	if err != nil {
		return nil, fmt.Errorf("io_uring: %w", errors.Join(err, r.close()))
	}
	return r, nil
}

func (r *ring) mapQueues(fd int, p *ringParams) (err error) {
	if p.features&featOneMap == 0 {
		return errors.ErrUnsupported
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*sizeOfCompletion)
	const shared = unix.MAP_SHARED | unix.MAP_POPULATE
	if r.memory, err = unix.Mmap(fd, offRings, int(size), unix.PROT_READ|unix.PROT_WRITE, shared); err != nil {
		return err
	}
	if r.entries, err = unix.Mmap(fd, offEntries, int(p.sqEntries*sizeOfEntry), unix.PROT_READ|unix.PROT_WRITE, shared); err != nil {
		return err
	}
	r.sqTail, r.sqMask = r.word(p.sq.tail), *r.word(p.sq.mask)
	r.cqHead, r.cqTail, r.cqMask, r.cqes = r.word(p.cq.head), r.word(p.cq.tail), *r.word(p.cq.mask), p.cq.cqes
	for i := range p.sqEntries {
		*r.word(p.sq.array + 4*i) = i
	}
	r.raw, err = r.fd.SyscallConn()
	return err
}

func (r *ring) word(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.memory[off])) }

// errNotAsked is in an error of sync that is no verdict on the file: the kernel
// did not take the request.
var errNotAsked = errors.New("io_uring: not asked")

// sync is fdatasync(2) of fd, with its errors, or errNotAsked.
func (r *ring) sync(fd int) error {
	tail := *r.sqTail // ours alone
	*(*ringEntry)(unsafe.Pointer(&r.entries[(tail&r.sqMask)*sizeOfEntry])) = ringEntry{op: opFsync, fd: int32(fd), fsyncFlags: fsyncDataOnly, token: uint64(tail)}
	atomic.StoreUint32(r.sqTail, tail+1)
	var taken uintptr
	var errno syscall.Errno
	if err := r.raw.Control(func(own uintptr) {
		taken, _, errno = syscall.Syscall6(unix.SYS_IO_URING_ENTER, own, 1, 0, 0, 0, 0)
	}); err != nil || taken != 1 || errno != 0 {
		atomic.StoreUint32(r.sqTail, tail)
		return fmt.Errorf("%w: %w", errNotAsked, errors.Join(err, errno))
	}
	var done ringCompletion
	if err := r.raw.Read(func(uintptr) bool { return r.completed(&done) }); err != nil {
		return fmt.Errorf("io_uring: %w", err)
	}
	switch {
	case done.token != uint64(tail):
		return errors.New("io_uring: an answer to what was not asked")
	case done.result < 0:
		return os.NewSyscallError("fdatasync", syscall.Errno(-done.result))
	}
	return nil
}

// completed takes one completion, if there is one.
func (r *ring) completed(into *ringCompletion) bool {
	head := *r.cqHead // ours alone
	if head == atomic.LoadUint32(r.cqTail) {
		return false
	}
	*into = *(*ringCompletion)(unsafe.Pointer(&r.memory[r.cqes+(head&r.cqMask)*sizeOfCompletion]))
	atomic.StoreUint32(r.cqHead, head+1)
	return true
}

// close gives the ring back. Nothing may be under way.
func (r *ring) close() error {
	err := r.fd.Close()
	for _, m := range [][]byte{r.memory, r.entries} {
		if m != nil {
			err = errors.Join(err, unix.Munmap(m))
		}
	}
	r.memory, r.entries = nil, nil
	return err
}
