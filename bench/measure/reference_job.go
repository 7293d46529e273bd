package measure

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Yardstick runs the fixed job on one core and returns the CPU time it took.
// A slice's figure is multiplied by (the run's median yardstick / the yardstick
// just before the slice): what a neighbour takes from the core's caches and
// clock is taken from both. The job resembles a proxy's: per turn one 1 KiB
// record through a pipe (two system calls) and AES-GCM over it, both ways.
func Yardstick(core, turns int) (time.Duration, error) {
	job, err := newJob()
	if err != nil {
		return 0, err
	}
	defer job.close()
	var used time.Duration
	err = OnCore(core, func() error {
		if err := job.turn(turns / 10); err != nil { // warm caches, not counted
			return err
		}
		start := ThreadCPU()
		err := job.turn(turns)
		used = ThreadCPU() - start
		return err
	})
	return used, err
}

type job struct {
	ends   [2]int
	seal   cipher.AEAD
	record [1024]byte
	out    []byte
}

func newJob() (*job, error) {
	j := &job{out: make([]byte, 0, 2048)}
	if err := unix.Pipe(j.ends[:]); err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	block, err := aes.NewCipher(make([]byte, 16))
	if err == nil {
		j.seal, err = cipher.NewGCM(block)
	}
	if err != nil {
		j.close()
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	return j, nil
}

func (j *job) close() {
	unix.Close(j.ends[0])
	unix.Close(j.ends[1])
}

func (j *job) turn(n int) error {
	var nonce [12]byte // the job measures time; it protects nothing
	for range n {
		if _, err := unix.Write(j.ends[1], j.record[:]); err != nil {
			return fmt.Errorf("yardstick: %w", err)
		}
		if _, err := unix.Read(j.ends[0], j.record[:]); err != nil {
			return fmt.Errorf("yardstick: %w", err)
		}
		j.out = j.seal.Seal(j.out[:0], nonce[:], j.record[:], nil)
		if _, err := j.seal.Open(j.record[:0], nonce[:], j.out, nil); err != nil {
			return fmt.Errorf("yardstick: %w", err)
		}
	}
	return nil
}

// OnCore runs f with its thread bound to one core, and frees the thread after.
// What f starts as a process stays on that core. A negative core binds nothing.
func OnCore(core int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if core < 0 {
		return f()
	}
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("core %d: %w", core, err)
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("core %d: %w", core, err)
	}
	defer unix.SchedSetaffinity(0, &old) //nolint:errcheck // the mask was valid a moment ago
	return f()
}

// Confine binds the whole process, all of its threads and those to come, to
// one core, and lets Go use as many threads at a time. A negative core binds
// nothing.
func Confine(core int) error {
	if core < 0 {
		return nil
	}
	runtime.GOMAXPROCS(1)
	var one unix.CPUSet
	one.Set(core)
	for range 2 { // a thread that was being made during the first look inherits the mask or is seen in the second
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("core %d: %w", core, err)
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return fmt.Errorf("core %d: %w", core, err)
			}
			if err := unix.SchedSetaffinity(id, &one); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("core %d: %w", core, err)
			}
		}
	}
	return nil
}
