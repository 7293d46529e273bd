package measure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ProcessCPU is the CPU time that all threads of a process have used so far,
// user and system, those that have ended included. It reads the process's own
// clock (clock_getcpuclockid(3)): nanoseconds, not the 10 ms of /proc/PID/stat.
func ProcessCPU(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED, include/uapi of the kernel's posix-timers
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, fmt.Errorf("cpu clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// ThreadCPU is the CPU time of the calling thread; lock the goroutine to it.
func ThreadCPU() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0 // cannot happen: the clock exists since Linux 2.6.12
	}
	return time.Duration(ts.Nano())
}
