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
	// a busy machine takes the core away, so only the sign of the work is certain
	if used := after - before; used < time.Millisecond {
		t.Errorf("30 ms of spinning count as %v", used)
	}
	if _, err := ProcessCPU(1 << 22); err == nil {
		t.Error("a process that does not exist has a clock")
	}
}
