package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// usage is what an operation took.
type usage struct{ took, cpu time.Duration }

// stopwatch measures an operation of a process.
type stopwatch struct {
	pid   int
	began time.Time
	cpu   time.Duration
}

// startWatch starts to measure a process that runs. 0 stands for this one.
func startWatch(pid int) stopwatch { return stopwatch{pid, time.Now(), cpuTime(pid)} }

func (w stopwatch) stop() usage { return usage{time.Since(w.began), cpuTime(w.pid) - w.cpu} }

// cpuTime returns the processor time that a process has used.
func cpuTime(pid int) time.Duration {
	name := "self"
	if pid != 0 {
		name = strconv.Itoa(pid)
	}
	text, _ := os.ReadFile("/proc/" + name + "/stat")
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// start starts the server and notes how long that takes.
func (s *scaleTest) start(t *testing.T, e *testenv.Env, index int, what string, n int) {
	t.Helper()
	began := time.Now()
	e.Start()
	pid := e.ServerPID()
	s.note(index, what, n, usage{time.Since(began), cpuTime(pid)}, residentBytes(t, pid))
}

// run runs a command of byline and notes what it takes.
func (s *scaleTest) run(t *testing.T, e *crashEnv, index int, what string, n int, args ...string) {
	t.Helper()
	used, memory := measure(t, e, args...)
	s.note(index, what, n, used, memory)
}

// measure runs a command of byline and returns how long it took and the most memory that
// it had. Its output goes nowhere.
func measure(t *testing.T, e *crashEnv, args ...string) (usage, int64) {
	t.Helper()
	c := exec.Command(testenv.Binary(t), append(args, "--config", e.Config)...)
	c.Dir = e.Dir
	var problems bytes.Buffer
	c.Stderr = &problems
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}

	// The usage that the kernel reports at the end counts the memory of this process,
	// from which the command was forked.
	peak := make(chan int64, 1)
	ended := make(chan struct{})
	go func() {
		most := int64(0)
		for {
			select {
			case <-ended:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, peakBytes(c.Process.Pid))
			}
		}
	}()
	err := c.Wait()
	took := time.Since(began)
	close(ended)
	if err != nil {
		t.Fatalf("byline %v: %v: %s", args, err, problems.String())
	}
	return usage{took, c.ProcessState.UserTime() + c.ProcessState.SystemTime()}, <-peak
}

// peakBytes returns the most memory that a process has had since it began its program,
// or 0 if it has ended.
func peakBytes(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

func (e *crashEnv) residentBytes(t *testing.T) int64 { return residentBytes(t, e.ServerPID()) }

// residentBytes returns the memory of a process.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
