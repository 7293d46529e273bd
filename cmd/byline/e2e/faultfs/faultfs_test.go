package faultfs

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mountForTest mounts a file system until the test ends.
func mountForTest(t *testing.T) (*FS, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := Mount(dir)
	if err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return f, dir
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestPowerCutKeepsOnlyWhatWasSynced writes files and syncs some of them, and some of
// their names.
func TestPowerCutKeepsOnlyWhatWasSynced(t *testing.T) {
	fsys, dir := mountForTest(t)
	write := func(name, text string, sync bool) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		must(t, err)
		_, err = f.WriteAt([]byte(text), 0)
		must(t, err)
		if sync {
			must(t, f.Sync())
		}
		must(t, f.Close())
	}
	syncDir := func() {
		t.Helper()
		d, err := os.Open(dir)
		must(t, err, d.Sync(), d.Close())
	}

	write("kept", "first", true)
	write("unsynced", "text", false)
	write("old name", "text", true)
	syncDir()
	write("no name", "text", true)
	write("kept", "later, and longer", false)
	must(t, os.Rename(filepath.Join(dir, "old name"), filepath.Join(dir, "new name")))

	must(t, fsys.CutPower())
	for name, want := range map[string]string{"kept": "first", "unsynced": "", "old name": "text"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want || err != nil {
			t.Errorf("after the cut %s holds %q (%v), want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"no name", "new name"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after the cut %s is there (%v), and its folder was not synced", name, err)
		}
	}
}

// TestFaultsAreThoseOfTheirPaths sets each fault for one of two files.
func TestFaultsAreThoseOfTheirPaths(t *testing.T) {
	fsys, dir := mountForTest(t)
	open := func(name string) *os.File {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		must(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	bad, good := open("bad"), open("good")

	for fault, want := range map[Fault][2]error{
		Fails:         {syscall.EIO, syscall.EIO},
		FailsPersists: {nil, syscall.EIO},
		ReadOnly:      {syscall.EROFS, nil},
		Full:          {syscall.ENOSPC, nil},
	} {
		fsys.Set(fault, "bad")
		_, err := bad.WriteAt([]byte("x"), 0)
		if !errors.Is(err, want[0]) || err != nil && want[0] == nil {
			t.Errorf("%s: a write returns %v, want %v", fault, err, want[0])
		}
		if err := bad.Sync(); !errors.Is(err, want[1]) || err != nil && want[1] == nil {
			t.Errorf("%s: a sync returns %v, want %v", fault, err, want[1])
		}
		_, err = good.WriteAt([]byte("x"), 0)
		must(t, err, good.Sync())
	}

	fsys.Set(Hangs, "bad")
	synced := make(chan error, 1)
	go func() { synced <- bad.Sync() }()
	select {
	case <-synced:
		t.Error("a sync returns while the disk hangs")
	case <-time.After(50 * time.Millisecond):
	}
	fsys.Set(None)
	must(t, <-synced)
}
