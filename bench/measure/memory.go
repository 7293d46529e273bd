package measure

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Resident returns the physical memory that a process uses, in bytes (VmRSS).
func Resident(pid int) (int64, error) { return readStatus(pid, "VmRSS:") }

// readStatus reads one line of /proc/PID/status, in bytes.
func readStatus(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	return parseStatus(status, field)
}

func parseStatus(status []byte, field string) (int64, error) {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		words := bytes.Fields(lines.Bytes())
		if len(words) == 3 && string(words[0]) == field && string(words[2]) == "kB" {
			kb, err := strconv.ParseInt(string(words[1]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("resident memory: no %s line; the process has ended", field)
}

// WatchResident watches the physical memory of a process until the caller calls
// stop, which returns the highest value in bytes. It uses the kernel's own high
// water mark (VmHWM), which it resets through clear_refs (proc(5)). If it may not
// do that, it samples the memory every 20 ms, and can miss short peaks.
func WatchResident(pid int) (stop func() (int64, error)) {
	if os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) == nil {
		return func() (int64, error) { return readStatus(pid, "VmHWM:") }
	}

	done := make(chan struct{})
	peak := make(chan int64, 1)
	go func() {
		highest := int64(0)
		for {
			now, _ := Resident(pid) // if the process has ended, stop reports it
			highest = max(highest, now)
			select {
			case <-done:
				peak <- highest
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() (int64, error) {
		close(done)
		now, err := Resident(pid)
		return max(now, <-peak), err
	}
}
