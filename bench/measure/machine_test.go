package measure

import "testing"

func TestProcessors(t *testing.T) {
	model, n := processors([]byte("processor\t: 0\nmodel name\t: Fast: CPU\n\nprocessor\t: 1\nmodel name\t: Fast: CPU\n"))
	if model != "Fast: CPU" || n != 2 {
		t.Errorf("%q, %d", model, n)
	}
}

func TestThisMachine(t *testing.T) {
	m, err := ThisMachine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m.Cores < 1 || m.Kernel == "" || m.Memory < 1<<26 || m.Disk == "" || m.Sync <= 0 {
		t.Errorf("%+v", m)
	}
	if _, err := ThisMachine("/nowhere"); err == nil {
		t.Error("a folder that does not exist has a disk")
	}
}
