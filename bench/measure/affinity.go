package measure

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// RunOnCore calls f on a thread that is bound to one core, and restores the
// affinity of the thread afterwards. Processes that f starts stay on that core. A
// negative core binds nothing.
func RunOnCore(core int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if core < 0 {
		return f()
	}

	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("core %d: %w", core, err)
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("core %d: %w", core, err)
	}
	defer unix.SchedSetaffinity(0, &before) //nolint:errcheck // the mask was in force a moment ago
	return f()
}

// PinProcess binds all threads of this process, including future ones, to one
// core, and sets GOMAXPROCS to 1. A negative core binds nothing.
func PinProcess(core int) error {
	if core < 0 {
		return nil
	}
	runtime.GOMAXPROCS(1)
	var only unix.CPUSet
	only.Set(core)

	// Two passes: a thread that is created during the first one either inherits
	// the mask or is listed in the second.
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("core %d: %w", core, err)
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return fmt.Errorf("core %d: %w", core, err)
			}
			err = unix.SchedSetaffinity(id, &only)
			if err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: the thread has ended
				return fmt.Errorf("core %d: %w", core, err)
			}
		}
	}
	return nil
}
