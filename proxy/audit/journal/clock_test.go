package journal

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// steppedClock is the system's clock with an offset that a test sets. Its monotonic
// part is the system's.
type steppedClock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *steppedClock) set(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = offset
}

func (c *steppedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset) // Add moves the monotonic reading too; clock.next must not depend on that
}

// TestI8TimesStayInOrderAndSayTheWallTime sets the clock back twice, forward, and back
// again over a restart, and lets both verifiers read the log.
func TestI8TimesStayInOrderAndSayTheWallTime(t *testing.T) {
	clock := &steppedClock{}
	cfg := Config{Dir: t.TempDir(), SegmentBytes: 8192, CheckpointEvery: time.Hour, now: clock.now}
	l := openLog(t, cfg)
	wallTimes := map[string]time.Time{} // by id, of records whose clock is behind
	write := func(behind bool) {
		t.Helper()
		for i := range 6 {
			r := audittest.Intent(i)
			before := clock.now()
			mustWait(t, l.Append(r))
			if behind {
				wallTimes[r.ID] = before
			}
			if r.Wall.IsZero() == behind {
				t.Fatalf("record %d has the wall time %v, and the clock is behind: %v", i, r.Wall, behind)
			}
			time.Sleep(time.Millisecond)
		}
	}

	write(false)
	clock.set(-time.Hour)
	write(true)
	clock.set(-2 * time.Hour)
	write(true)
	if s := l.Stats(); s.ClockSteps != 2 || s.ClockBehind < 119*time.Minute {
		t.Errorf("Stats returned %d steps and %v behind, want 2 and two hours", s.ClockSteps, s.ClockBehind)
	}
	clock.set(time.Minute)
	write(false)
	mustClose(t, l)

	clock.set(-3 * time.Hour)
	l = openLog(t, cfg)
	write(true)
	mustClose(t, l)
	audittest.Verify(t, cfg.Dir)

	var last time.Time
	stood, steps := 0, 0
	for r, err := range audit.Tail(t.Context(), cfg.Dir, 1000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == audit.KindClock {
			steps++
		}
		if r.Kind != "intent" {
			continue
		}
		if r.Time.Equal(last) {
			stood++
		}
		last = r.Time
		if want, ok := wallTimes[r.ID]; ok && (r.At().Before(want.Truncate(time.Microsecond)) || r.At().Sub(want) > time.Minute) {
			t.Errorf("record %d has the wall time %v, want %v", r.Seq, r.At(), want)
		}
	}
	if stood > steps { // here a step also moves the monotonic clock, so nothing passed
		t.Errorf("%d records have the time of the record before, want each its own after the first of each step", stood)
	}
	if steps != 3 {
		t.Errorf("%d records say that the clock went back, want 3", steps)
	}

	if out, err := exec.Command("python3", "../../../docs/verify.py", "--key", audittest.VerifierKey(), cfg.Dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "OK") && !strings.Contains(string(out), "ok") {
		t.Errorf("docs/verify.py: %v: %s", err, out)
	}
}

// TestWallTimeOfALineIsEarlierThanItsTime changes the wall time of a line.
func TestWallTimeOfALineIsEarlierThanItsTime(t *testing.T) {
	r := audittest.Intent(1)
	r.ID, r.Time = audit.NewID(), time.UnixMicro(5_000_000)
	for wall, good := range map[int64]bool{4_999_999: true, 1: true, 5_000_000: false, 6_000_000: false} {
		r.Wall = time.UnixMicro(wall)
		_, err := audit.ParseRecord(r.Line())
		if (err == nil) != good {
			t.Errorf("a line with time 5 s and wall %d µs: %v, want good: %v", wall, err, good)
		}
	}
	r.Time, r.Wall = time.UnixMicro(1e15), time.UnixMicro(4_000_000)
	line := strings.Replace(string(r.Line()), `"wall":"1970-01-01T00:00:04`, `"wall":"1970-02-30T00:00:04`, 1)
	if _, err := audit.ParseRecord([]byte(line)); err == nil {
		t.Error("a wall time on 30 February is read")
	}
}
