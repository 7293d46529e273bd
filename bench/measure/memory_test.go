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
		t.Errorf("this process uses %d bytes (error: %v), want at least 1 MiB", got, err)
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte("Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n"), "VmRSS:")
	if err != nil || got != 2<<20 {
		t.Errorf("got %d bytes (error: %v), want 2 MiB", got, err)
	}
	for _, status := range []string{
		"Name:\tx\nState:\tZ (zombie)\n",
		"VmRSS:\t12 MB\n",
	} {
		if got, err := parseStatus([]byte(status), "VmRSS:"); err == nil {
			t.Errorf("%q was read as %d bytes, want an error", status, got)
		}
	}
}

func TestWatchResidentSeesAPeakThatIsOver(t *testing.T) {
	const size = 64 << 20
	stop := WatchResident(os.Getpid())
	before, err := Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, size)
	for i := range block { // a page is resident once it has been written
		block[i] = 1
	}
	time.Sleep(50 * time.Millisecond) // enough for two samples, where the high water mark cannot be reset
	runtime.KeepAlive(block)

	peak, err := stop()
	if err != nil || peak < before+size*9/10 {
		t.Errorf("the peak is %d bytes (error: %v) after %d bytes before, want 64 MiB more", peak, err, before)
	}
}
