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

func TestResident(t *testing.T) {
	got, err := Resident(os.Getpid())
	if err != nil || got < 1<<20 {
		t.Errorf("this process has %d bytes, %v", got, err)
	}
	for text, want := range map[string]int64{
		"Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n": 2 << 20,
		"Name:\tx\nState:\tZ (zombie)\n":                   -1,
		"VmRSS:\t12 MB\n":                                  -1,
	} {
		got, err := residentIn([]byte(text))
		if want < 0 && err == nil || want >= 0 && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
