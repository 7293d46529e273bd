package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestI8TaskSeqCountsOverSegmentsAndRestarts lets tasks count on while segments
// end and the writer is opened again, and forgets those that ended.
func TestI8TaskSeqCountsOverSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	for run := range 3 {
		l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour})
		for i := range 30 {
			r := audittest.Intent(i)
			r.Task = fmt.Sprintf("t_%d", i%3)
			mustWait(t, l.Append(r))
			once := &audit.Record{Kind: "task", Task: fmt.Sprintf("t_once_%d_%d", run, i), Code: audit.CodeEnded}
			mustWait(t, l.Append(once))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rep := audittest.Verify(t, dir)
	if rep.Segments < 5 {
		t.Fatalf("%d segments show nothing", rep.Segments)
	}
	want := map[string]uint64{}
	for r, err := range audit.Tail(t.Context(), dir, int(rep.Records), false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Task != "" {
			if want[r.Task]++; r.TaskSeq != want[r.Task] {
				t.Errorf("record %d of %s says %d", want[r.Task], r.Task, r.TaskSeq)
			}
		}
		if r.Kind == audit.KindCounts && len(r.Tasks) > 6 {
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
		if audittest.Must(audit.ParseRecord(lines[k])).Task == "" {
			continue
		}
		changed := audittest.Rechain(lines, k, func(r *audit.Record) { r.TaskSeq++ })
		mustBreak(t, "task_seq", audittest.WriteLines(t, dir, changed), k)
	}
}

func TestCountsStayShortWithManyTasks(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: time.Hour})
	var last journal.Ticket
	for i := range 3000 {
		last = l.Append(&audit.Record{Kind: "lease", Task: fmt.Sprintf("t_%026d", i)})
	}
	mustWait(t, last)
	mustWait(t, l.Append(audittest.Intent(1)))
	l.Close()
	audittest.Verify(t, dir)
	n := 0
	for r, err := range audit.Tail(t.Context(), dir, 100, false) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(r.Tasks)
	}
	if n < 3000 {
		t.Errorf("%d tasks go on, want 3000", n)
	}
}
