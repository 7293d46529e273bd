package audit

import (
	"fmt"
	"testing"
	"time"
)

// TestI8TaskSeqCountsOverSegmentsAndRestarts lets tasks count on while segments
// end and the writer is opened again, and forgets those that ended.
func TestI8TaskSeqCountsOverSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	for run := range 3 {
		l := openLog(t, Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour})
		for i := range 30 {
			r := intent(i)
			r.Task = fmt.Sprintf("t_%d", i%3)
			mustWait(t, l.Append(r))
			once := &Record{Kind: "task", Task: fmt.Sprintf("t_once_%d_%d", run, i), Code: codeEnded}
			mustWait(t, l.Append(once))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rep := mustVerify(t, dir)
	if rep.Segments < 5 {
		t.Fatalf("%d segments show nothing", rep.Segments)
	}
	want := map[string]uint64{}
	for r, err := range Tail(t.Context(), dir, int(rep.Records), false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Task != "" {
			if want[r.Task]++; r.TaskSeq != want[r.Task] {
				t.Errorf("record %d of %s says %d", want[r.Task], r.Task, r.TaskSeq)
			}
		}
		if r.Kind == KindCounts && len(r.Tasks) > 6 {
			t.Errorf("counts go on with tasks that ended: %+v", r.Tasks)
		}
	}
	if want["t_0"] != 30 || want["t_2"] != 30 {
		t.Errorf("%v", want)
	}
}

// TestI8WrongTaskSeqIsFound changes a number as one who can make the rest of the
// chain fit.
func TestI8WrongTaskSeqIsFound(t *testing.T) {
	dir, lines := sealedLog(t)
	for k := range lines {
		if must(ParseRecord(lines[k])).Task == "" {
			continue
		}
		changed := rechain(lines, k, func(r *Record) { r.TaskSeq++ })
		mustBreak(t, "task_seq", relay(t, dir, changed), k)
	}
}

func TestCountsStayShortWithManyTasks(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: time.Hour})
	var last Ticket
	for i := range 3000 {
		last = l.Append(&Record{Kind: "lease", Task: fmt.Sprintf("t_%026d", i)})
	}
	mustWait(t, last)
	mustWait(t, l.Append(intent(1)))
	l.Close()
	mustVerify(t, dir)
	n := 0
	for r, err := range Tail(t.Context(), dir, 100, false) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(r.Tasks)
	}
	if n < 3000 {
		t.Errorf("%d tasks go on, want 3000", n)
	}
}

// TestOpenIntentsHaveTheirReason kills, breaks and closes a writer with an
// exchange under way each time.
func TestOpenIntentsHaveTheirReason(t *testing.T) {
	dir := t.TempDir()
	why := map[string]string{}
	d := &faultDisk{}
	l := openLog(t, Config{Dir: dir, disk: d})
	broken := l.Append(intent(1))
	mustWait(t, broken)
	d.set("sync EIO")
	breakLog(t, l)
	d.set("")
	awaitRecovery(t, l)
	cut := l.Append(intent(2))
	l.Close()
	why[broken.ID()], why[cut.ID()] = WhyDisk, WhyCut
	for _, id := range killedWriter(t, dir) {
		why[id] = WhyCrash
	}
	l = openLog(t, Config{Dir: dir})
	going := l.Append(intent(3))
	mustWait(t, going)
	why[going.ID()] = WhyInFlight
	rep, err := Verify(dir, testPub, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, o := range rep.Open {
		want, known := why[o.ID]
		if !known { // acknowledged to a child that was killed before it said so
			want = WhyCrash
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
