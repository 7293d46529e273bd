package measure

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRunOnCoreBindsAndRestores(t *testing.T) {
	runtime.LockOSThread() // the affinity before and after must be that of one thread
	defer runtime.UnlockOSThread()
	var before, inside, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if err := RunOnCore(0, func() error { return unix.SchedGetaffinity(0, &inside) }); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil {
		t.Fatal(err)
	}

	if inside.Count() != 1 || !inside.IsSet(0) {
		t.Errorf("inside, the thread may use %d cores, want only core 0", inside.Count())
	}
	if before != after {
		t.Error("afterwards, the thread has another affinity than before")
	}
	if err := RunOnCore(1000, func() error { return nil }); err == nil {
		t.Error("RunOnCore accepted core 1000")
	}
}
