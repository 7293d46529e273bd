package measure

import (
	"os"
	"runtime"
	"testing"
	"time"
)

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
		got, err := memoryIn([]byte(text), "VmRSS:")
		if want < 0 && err == nil || want >= 0 && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestTheHighestMemoryIsSeenThoughItIsGone(t *testing.T) {
	const block = 64 << 20
	highest := WatchResident(os.Getpid())
	before, err := Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	memory := make([]byte, block)
	for i := range memory { // pages are there once they are written
		memory[i] = 1
	}
	time.Sleep(50 * time.Millisecond) // for where the kernel's mark may not be put back
	runtime.KeepAlive(memory)
	if got, err := highest(); err != nil || got < before+block*9/10 {
		t.Errorf("%d bytes at the highest after %d before, %v", got, before, err)
	}
}
