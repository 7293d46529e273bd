package journal

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestLivingTasksAreKnownFromTheLastSegment opens logs of many segments again and
// again. Tasks end, and records of theirs follow in later segments.
func TestLivingTasksAreKnownFromTheLastSegment(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), SegmentBytes: 4096, CheckpointEvery: time.Hour}
	write := func(l *Log, kind, code, task string) {
		t.Helper()
		mustWait(t, l.Append(&audit.Record{Kind: kind, Code: code, Task: task}))
	}
	fill := func(l *Log) { // more than one segment
		for i := range 12 {
			r := audittest.Intent(i)
			r.Task = ""
			mustWait(t, l.Append(r))
		}
	}

	want := map[string]bool{}
	for run := range 6 {
		l := openLog(t, cfg)
		if got := l.LivingTasks(); !maps.Equal(got, want) {
			t.Fatalf("run %d: the log has the living tasks %v, want %v", run, got, want)
		}

		stays, ends, late := fmt.Sprintf("t_stays_%d", run), fmt.Sprintf("t_ends_%d", run), fmt.Sprintf("t_late_%d", run)
		for _, task := range []string{stays, ends, late} {
			write(l, "task", "", task)
		}
		want[stays] = true
		fill(l)
		write(l, "task", audit.CodeEnded, ends)
		write(l, "task", audit.CodeEnded, late)
		fill(l)
		write(l, "logout", "", late) // in another segment than its end
		if run%2 == 0 {
			fill(l)
		}
		if run == 3 {
			write(l, "task", audit.CodeEnded, "t_stays_1") // of an earlier run
			delete(want, "t_stays_1")
		}
		mustClose(t, l)
	}
	audittest.Verify(t, cfg.Dir)
}

// TestEndedTaskOfAnEarlierRunIsNotListed writes a record of a task that ended in an
// earlier run and an earlier segment, and starts more segments after another start.
func TestEndedTaskOfAnEarlierRunIsNotListed(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), SegmentBytes: 4096, CheckpointEvery: time.Hour}
	l := openLog(t, cfg)
	mustWait(t, l.Append(&audit.Record{Kind: "task", Task: "t_1"}), l.Append(&audit.Record{Kind: "task", Code: audit.CodeEnded, Task: "t_1"}))
	writeIntents(t, l, 12)
	mustClose(t, l)

	l = openLog(t, cfg)
	mustWait(t, l.Append(&audit.Record{Kind: "logout", Task: "t_1"}))
	mustClose(t, l)

	l = openLog(t, cfg)
	writeIntents(t, l, 12)
	mustClose(t, l)
	l = openLog(t, cfg)
	if living := l.LivingTasks(); living["t_1"] {
		t.Error("a task that ended two runs ago counts as living")
	}
}
