package measure

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestYardstickGrowsWithItsTurns(t *testing.T) {
	few, err := Yardstick(0, 500)
	if err != nil {
		t.Fatal(err)
	}
	many, err := Yardstick(0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if few <= 0 || many < 3*few {
		t.Errorf("500 turns took %v, 5000 took %v", few, many)
	}
}

func TestOnCoreBindsAndFrees(t *testing.T) {
	runtime.LockOSThread() // one thread for the whole test, so that its mask can be read before and after
	defer runtime.UnlockOSThread()
	var before, inside, after unix.CPUSet
	for _, m := range []*unix.CPUSet{&before, &after} {
		if m == &after {
			err := OnCore(0, func() error { return unix.SchedGetaffinity(0, &inside) })
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.SchedGetaffinity(0, m); err != nil {
			t.Fatal(err)
		}
	}
	if inside.Count() != 1 || !inside.IsSet(0) {
		t.Errorf("inside: %d cores", inside.Count())
	}
	if before != after {
		t.Error("the thread kept the mask")
	}
	if err := OnCore(1000, func() error { time.Sleep(0); return nil }); err == nil {
		t.Error("core 1000 was accepted")
	}
}
