package journal

import (
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestOpenIntentsHaveTheirReason kills, breaks and closes a writer with an
// exchange under way each time.
func TestOpenIntentsHaveTheirReason(t *testing.T) {
	dir := t.TempDir()
	why := map[string]string{}
	d := &faultDisk{}
	l := openLog(t, Config{Dir: dir, disk: d})
	broken := l.Append(audittest.Intent(1))
	mustWait(t, broken)
	d.set("sync EIO")
	breakLog(t, l)
	d.set("")
	awaitRecovery(t, l)
	cut := l.Append(audittest.Intent(2))
	l.Close()
	why[broken.ID()], why[cut.ID()] = audit.WhyDisk, audit.WhyCut
	for _, id := range killedWriter(t, dir) {
		why[id] = audit.WhyCrash
	}
	l = openLog(t, Config{Dir: dir})
	going := l.Append(audittest.Intent(3))
	mustWait(t, going)
	why[going.ID()] = audit.WhyInFlight
	rep, err := audit.Verify(dir, audittest.PublicKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, o := range rep.Open {
		want, known := why[o.ID]
		if !known { // acknowledged to a child that was killed before it said so
			want = audit.WhyCrash
		} else {
			seen++
		}
		if o.Why != want || o.Task == "" || o.Time.IsZero() {
			t.Errorf("%+v, want %s", o, want)
		}
	}
	if seen != len(why) {
		t.Errorf("%d of %d open intents are listed", seen, len(why))
	}
}
