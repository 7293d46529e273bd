package measure

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Resident is the physical memory of a process in bytes (VmRSS).
func Resident(pid int) (int64, error) { return memory(pid, "VmRSS:") }

// memory reads one line of the process's status.
func memory(pid int, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	return memoryIn(text, field)
}

func memoryIn(status []byte, field string) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		f := bytes.Fields(lines.Bytes())
		if len(f) == 3 && string(f[0]) == field && string(f[2]) == "kB" {
			kb, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("resident memory: no %s line; the process has ended", field)
}

// WatchResident watches the physical memory of a process until the function
// that it returns is called, which says how much it was at its highest. The
// kernel's own mark is used (VmHWM, put back through clear_refs, proc(5)); where
// that may not be put back, memory is looked at every 20 ms.
func WatchResident(pid int) (highest func() (int64, error)) {
	if os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) == nil {
		return func() (int64, error) { return memory(pid, "VmHWM:") }
	}
	over, found := make(chan struct{}), make(chan int64, 1)
	go func() {
		most := int64(0)
		for {
			now, _ := Resident(pid) // a process that is gone is found out at the end
			most = max(most, now)
			select {
			case <-over:
				found <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() (int64, error) {
		close(over)
		now, err := Resident(pid)
		return max(now, <-found), err
	}
}
