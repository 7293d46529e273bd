package journal

import (
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestOpenIntentsSayWhyTheyAreOpen leaves intents without outcome in every way: it
// breaks the disk, closes the log, kills a writer and keeps a log open.
func TestOpenIntentsSayWhyTheyAreOpen(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{}

	d := &faultDisk{}
	l := openLog(t, Config{Dir: dir, disk: d})
	beforeFault := l.Append(audittest.Intent(1))
	mustWait(t, beforeFault)
	want[beforeFault.ID()] = audit.WhyDisk
	d.set("sync EIO")
	appendUntilFailure(t, l)
	d.set("")
	waitForRecovery(t, l)

	beforeClose := l.Append(audittest.Intent(2))
	want[beforeClose.ID()] = audit.WhyCut
	mustClose(t, l)

	for _, id := range runKilledWriter(t, dir) {
		want[id] = audit.WhyCrash
	}

	l = openLog(t, Config{Dir: dir})
	inFlight := l.Append(audittest.Intent(3))
	mustWait(t, inFlight)
	want[inFlight.ID()] = audit.WhyInFlight

	report, err := audit.Verify(dir, audittest.PublicKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, open := range report.Open {
		why, known := want[open.ID]
		if known {
			found++
		} else {
			why = audit.WhyCrash // the child was killed before it printed the ID
		}
		if open.Why != why || open.Task == "" || open.Time.IsZero() {
			t.Errorf("the report lists %+v, want reason %s, a task and a time", open, why)
		}
	}
	if found != len(want) {
		t.Errorf("the report lists %d of %d open intents", found, len(want))
	}
}
