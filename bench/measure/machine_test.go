package measure

import "testing"

func TestParseCPUInfo(t *testing.T) {
	model, n := parseCPUInfo([]byte("processor\t: 0\nmodel name\t: Fast: CPU\n\nprocessor\t: 1\nmodel name\t: Fast: CPU\n"))
	if model != "Fast: CPU" || n != 2 {
		t.Errorf("got %d processors of model %q, want 2 of \"Fast: CPU\"", n, model)
	}
}

func TestThisMachine(t *testing.T) {
	m, err := ThisMachine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if m.Cores < 1 || m.Kernel == "" || m.Memory < 1<<26 || m.Disk == "" || m.Sync <= 0 {
		t.Errorf("the description is incomplete: %+v", m)
	}
	if _, err := ThisMachine("/nowhere"); err == nil {
		t.Error("ThisMachine succeeded for a directory that does not exist")
	}
}
