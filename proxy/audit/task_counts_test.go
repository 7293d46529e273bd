package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestI8TaskSeqCountsOverSegmentsAndRestarts writes records of three tasks over
// several segments and three runs, with other tasks that end at once in between.
func TestI8TaskSeqCountsOverSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	for run := range 3 {
		l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 4096, CheckpointEvery: time.Hour})
		for i := range 30 {
			r := audittest.Intent(i)
			r.Task = fmt.Sprintf("t_%d", i%3)
			mustWait(t, l.Append(r))
			short := &audit.Record{Kind: "task", Task: fmt.Sprintf("t_short_%d_%d", run, i), Code: audit.CodeEnded}
			mustWait(t, l.Append(short))
		}
		mustClose(t, l)
	}
	rep := audittest.Verify(t, dir)
	if rep.Segments < 5 {
		t.Fatalf("the log has %d segments, too few for this test", rep.Segments)
	}

	count := map[string]uint64{}
	for r, err := range audit.Tail(t.Context(), dir, int(rep.Records), false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Task != "" {
			count[r.Task]++
			if r.TaskSeq != count[r.Task] {
				t.Errorf("record %d of %s has task_seq %d", count[r.Task], r.Task, r.TaskSeq)
			}
		}
		if r.Kind == audit.KindCounts && len(r.Tasks) > 6 {
			t.Errorf("a counts record lists tasks that ended: %+v", r.Tasks)
		}
	}
	if count["t_0"] != 30 || count["t_2"] != 30 {
		t.Errorf("read %d records of t_0 and %d of t_2, want 30 each", count["t_0"], count["t_2"])
	}
}

// TestI8WrongTaskSeqIsFound changes the task_seq of each record and makes the
// rest of the chain fit.
func TestI8WrongTaskSeqIsFound(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	for k := range lines {
		if audittest.Must(audit.ParseRecord(lines[k])).Task == "" {
			continue
		}
		changed := audittest.Rechain(lines, k, func(r *audit.Record) { r.TaskSeq++ })
		expectFault(t, "wrong task_seq", audittest.WriteLines(t, dir, changed), k)
	}
}

// TestManyTasksFitIntoCountsRecords starts a segment while 3,000 tasks are open.
func TestManyTasksFitIntoCountsRecords(t *testing.T) {
	const tasks = 3000
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: time.Hour})
	var last journal.Ticket
	for i := range tasks {
		last = l.Append(&audit.Record{Kind: "lease", Task: fmt.Sprintf("t_%026d", i)})
	}
	mustWait(t, last)
	mustWait(t, l.Append(audittest.Intent(1)))
	mustClose(t, l)

	audittest.Verify(t, dir)
	listed := 0
	for r, err := range audit.Tail(t.Context(), dir, 100, false) {
		if err != nil {
			t.Fatal(err)
		}
		listed += len(r.Tasks)
	}
	if listed < tasks {
		t.Errorf("counts records list %d tasks, want %d", listed, tasks)
	}
}
