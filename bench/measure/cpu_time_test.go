package measure

import (
	"os"
	"testing"
	"time"
)

func TestProcessCPUCountsWork(t *testing.T) {
	before, err := ProcessCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for time.Since(start) < 30*time.Millisecond {
	}
	after, err := ProcessCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// On a busy machine most of the 30 ms may go to other processes.
	if used := after - before; used < time.Millisecond {
		t.Errorf("a loop of 30 ms used %v of CPU time, want at least 1 ms", used)
	}
	if _, err := ProcessCPU(1 << 22); err == nil {
		t.Error("ProcessCPU succeeded for a process that does not exist")
	}
}
