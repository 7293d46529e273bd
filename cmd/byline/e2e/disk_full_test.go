package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of 8 MiB. Its zero value is not mounted.
type smallDisk struct{ dir string }

// mount mounts the file system at dir. Only root may, so the test is skipped
// for other users, or fails in CI.
func (d *smallDisk) mount(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Skipf("mount a small disk: %v; run as root", err)
	}
	d.dir = dir
}

func (d *smallDisk) unmount() {
	if d.dir != "" {
		_ = unix.Unmount(d.dir, unix.MNT_DETACH)
	}
}

// fillerPath is the file that takes the free space.
func (d *smallDisk) fillerPath() string { return filepath.Join(d.dir, "filler") }

// fill writes the filler until no space is left.
func (d *smallDisk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(d.fillerPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// free removes the filler.
func (d *smallDisk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.fillerPath()); err != nil {
		t.Fatal(err)
	}
}

// TestI3FullDiskRefusesTrafficThenRecovers fills the disk of the audit log
// under load. No request reaches the application until there is space; a logout
// that is due is sent then.
func TestI3FullDiskRefusesTrafficThenRecovers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real servers and a mounted disk")
	}
	_ = t.TempDir() // registers the removal of temporary folders before the unmount, so that it runs after it
	disk := new(smallDisk)
	t.Cleanup(disk.unmount)
	e := newCrashEnv(t, "audit: {segment_bytes: 1000000}", "agent-01", "agent-02")
	disk.mount(t, filepath.Join(e.Dir, "data", "audit"))
	e.Start()

	running, ending := e.load.createTask(), e.load.createTask()
	for _, a := range []*loadAgent{running, ending} {
		if status := a.sendRandom(e.rng); status != http.StatusOK {
			t.Fatalf("a request before the disk is full: status %d, want 200; refusals %v", status, e.load.refusals)
		}
	}

	disk.fill(t)
	e.sendUntilRefused(t, running)
	e.checkDiskFull(t, running)
	if !e.load.endTask(ending.task) {
		t.Error("a task cannot be ended while the disk is full")
	}
	if status := ending.sendRandom(e.rng); status == http.StatusOK {
		t.Error("a request of an ended task got status 200 while the disk is full")
	}
	e.checkDiskFull(t, running)

	disk.free(t)
	e.WaitUntil("the server is ready", func() bool {
		status, _, _ := e.load.callControlAPI("GET", "/readyz", nil)
		return status == http.StatusOK
	})
	if status := running.sendRandom(e.rng); status != http.StatusOK {
		t.Errorf("a request after the disk has space again: status %d, want 200; refusals %v", status, e.load.refusals)
	}
	e.WaitUntil("the ended task is logged out", func() bool { return len(e.app.loggedInUsers()) == 1 })

	e.long = []*loadAgent{running}
	e.killOnFullDisk(t, disk)
	e.Stop()
	if report := e.verifyStoppedLog(t); !report.Closed {
		t.Errorf("the log is not closed after a clean stop: %+v", report)
	}
}

// sendUntilRefused sends requests until one is refused. Some still pass on a
// full disk, as the log preallocates space.
func (e *crashEnv) sendUntilRefused(t *testing.T, a *loadAgent) {
	t.Helper()
	for range 5000 {
		if a.sendRandom(e.rng) != http.StatusOK {
			return
		}
	}
	t.Fatal("5000 requests passed although the disk is full")
}

// checkDiskFull checks that every request is refused and none reaches the
// application, that the server is not ready, and that no task can be created.
func (e *crashEnv) checkDiskFull(t *testing.T, a *loadAgent) {
	t.Helper()

	entriesBefore := len(e.app.allEntries())
	refusalsBefore := e.load.refusalCount("not_recorded")
	var senders sync.WaitGroup
	for range 8 {
		rng := e.forkRand()
		senders.Go(func() {
			for range 10 {
				if status := a.sendRandom(rng); status != http.StatusServiceUnavailable {
					t.Errorf("a request while the disk is full: status %d, want 503", status)
				}
			}
		})
	}
	senders.Wait()

	if entries := e.app.allEntries(); len(entries) != entriesBefore {
		t.Errorf("I3: these requests reached the application while the disk is full: %v", entries[entriesBefore:])
	}
	if n := e.load.refusalCount("not_recorded") - refusalsBefore; n != 80 {
		t.Errorf("%d of 80 requests were refused with not_recorded, want all; refusals %v", n, e.load.refusals)
	}
	status, text, err := e.load.callControlAPI("GET", "/readyz", nil)
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(string(text), "no space left") {
		t.Errorf("GET /readyz: status %d, error %v, body %s; want 503 and \"no space left\"", status, err, text)
	}
	if e.load.createTask() != nil {
		t.Error("a task was created although it cannot be recorded")
	}
}

// killOnFullDisk kills the server on a full disk. It does not start again until
// there is space, and then continues as after any kill.
func (e *crashEnv) killOnFullDisk(t *testing.T, disk *smallDisk) {
	t.Helper()

	disk.fill(t)
	e.sendUntilRefused(t, e.long[0])
	e.Kill()
	e.verifyStoppedLog(t)
	if r := e.Byline("serve"); r.Code != 1 || !strings.Contains(r.Err, "no space left") || !strings.Contains(r.Err, `"hint":"free some space`) {
		t.Errorf("byline serve on a full disk: want exit 1, \"no space left\" and a hint, got %s", r)
	}

	disk.free(t)
	before := e.verifyStoppedLog(t)
	e.Start()
	e.checkRestart(t, before)
}
