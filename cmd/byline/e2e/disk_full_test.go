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

// smallDisk is a file system of a few MiB. Its zero value is not mounted.
type smallDisk struct{ dir string }

// mount puts the disk at dir until unmount. Only root may.
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

func (d *smallDisk) filler() string { return filepath.Join(d.dir, "filler") }

// fill takes all the space that is left.
func (d *smallDisk) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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

func (d *smallDisk) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		t.Fatal(err)
	}
}

// TestI3AFullDiskRefusesTrafficAndRecoversByItself fills the disk of the record
// under load. Nothing may reach the application meanwhile; what must be done
// there, a logout, is done when it can be put on record.
func TestI3AFullDiskRefusesTrafficAndRecoversByItself(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real servers and a mounted disk")
	}
	_ = t.TempDir() // so that the folder of all outlives the disk in it
	disk := new(smallDisk)
	t.Cleanup(disk.unmount)
	k := openLedger(t, "audit: {segment_bytes: 1000000}", "agent-01", "agent-02")
	disk.mount(t, filepath.Join(k.Dir, "data", "audit"))
	k.Start()
	works, ends := k.load.create(), k.load.create()
	for _, a := range []*agent{works, ends} {
		if status := a.send(k.rand); status != http.StatusOK {
			t.Fatalf("%d %v", status, k.load.refused)
		}
	}
	disk.fill(t)
	k.fillUp(t, works)
	k.checkFull(t, works)
	if !k.load.end(ends.task) {
		t.Error("a task cannot be ended while the disk is full")
	}
	if status := ends.send(k.rand); status == http.StatusOK {
		t.Error("a task goes on after it was ended")
	}
	k.checkFull(t, works)

	disk.empty(t)
	k.WaitUntil("the server is ready", func() bool { status, _, _ := k.load.operator("GET", "/readyz", nil); return status == http.StatusOK })
	if status := works.send(k.rand); status != http.StatusOK {
		t.Errorf("%d after the disk has space again: %v", status, k.load.refused)
	}
	k.WaitUntil("the ended task is logged out", func() bool { return len(k.app.loggedIn()) == 1 })
	k.long = []*agent{works}
	k.killFull(t, disk)
	k.Stop()
	if after := k.readDead(t); !after.Closed {
		t.Errorf("the log was not closed: %+v", after)
	}
}

// fillUp sends requests until one cannot be put on record any more: the log
// fills its segment ahead, so some still can.
func (k *killed) fillUp(t *testing.T, a *agent) {
	t.Helper()
	for range 5000 {
		if a.send(k.rand) != http.StatusOK {
			return
		}
	}
	t.Fatal("the disk is full and everything goes on")
}

// checkFull wants refusals for everything, and nothing at the application.
func (k *killed) checkFull(t *testing.T, a *agent) {
	t.Helper()
	before := len(k.app.seen())
	k.load.mu.Lock()
	refused := k.load.refused["not_recorded"]
	k.load.mu.Unlock()
	var all sync.WaitGroup
	for range 8 {
		r := k.fork()
		all.Go(func() {
			for range 10 {
				if status := a.send(r); status != http.StatusServiceUnavailable {
					t.Errorf("a request is answered with %d while the disk is full", status)
				}
			}
		})
	}
	all.Wait()
	if seen := k.app.seen(); len(seen) != before {
		t.Errorf("I3: with a full disk these reached the application: %v", seen[before:])
	}
	if n := k.load.refused["not_recorded"] - refused; n != 80 {
		t.Errorf("%d of 80 were refused as not_recorded: %v", n, k.load.refused)
	}
	if status, text, err := k.load.operator("GET", "/readyz", nil); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(string(text), "no space left") {
		t.Errorf("/readyz: %d %s %v", status, text, err)
	}
	if k.load.create() != nil {
		t.Error("a task can be made although it cannot be put on record")
	}
}

// killFull kills the server on a full disk: it refuses to start again until
// there is space, and then goes on as if nothing had been.
func (k *killed) killFull(t *testing.T, disk *smallDisk) {
	t.Helper()
	disk.fill(t)
	k.fillUp(t, k.long[0])
	k.Kill()
	k.readDead(t)
	if r := k.Byline("serve"); r.Code != 1 || !strings.Contains(r.Err, "no space left") || !strings.Contains(r.Err, "hint: free some space") {
		t.Errorf("a start on a full disk: %s", r)
	}
	disk.empty(t)
	before := k.readDead(t)
	k.Start()
	k.checkRestart(t, before)
}
