package measure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ProcessCPU returns the CPU time, user and system, that all threads of a process
// have used so far, including threads that have ended. It reads the CPU-time
// clock of the process (clock_getcpuclockid(3)), which counts nanoseconds, where
// /proc/PID/stat counts in units of 10 ms.
func ProcessCPU(pid int) (time.Duration, error) {
	const cpuClockSched = 2 // CPUCLOCK_SCHED in the kernel's posix-timers.h
	clock := int32(^pid<<3 | cpuClockSched)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// ThreadCPU returns the CPU time that the calling thread has used so far. The
// caller must have locked its goroutine to the thread.
func ThreadCPU() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0 // cannot happen: the clock exists since Linux 2.6.12
	}
	return time.Duration(ts.Nano())
}
