package oplog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// fakeTime is a clock with timers, which advance runs.
type fakeTime struct {
	now    time.Time
	timers []timer
}

type timer struct {
	at time.Time
	f  func()
}

func (f *fakeTime) advance(d time.Duration) {
	f.now = f.now.Add(d)
	due := f.timers
	f.timers = nil
	for _, t := range due {
		if t.at.After(f.now) {
			f.timers = append(f.timers, t)
			continue
		}
		t.f()
	}
}

// limited returns a logger through a Limiter on a fake clock, and what it writes.
func limited() (zerolog.Logger, *Limiter, *fakeTime, *bytes.Buffer) {
	out := &bytes.Buffer{}
	clock := &fakeTime{now: time.Unix(1_800_000_000, 0)}
	l := NewLimiter(out)
	l.now = func() time.Time { return clock.now }
	l.after = func(d time.Duration, f func()) { clock.timers = append(clock.timers, timer{clock.now.Add(d), f}) }
	return zerolog.New(l).With().Timestamp().Logger(), l, clock, out
}

// parse returns the lines that were written, each of which must be a JSON object.
func parse(t *testing.T, out []byte) (lines []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

// total returns how many lines were logged according to what was written.
func total(lines []map[string]any) (n int) {
	for _, m := range lines {
		n++
		if left, ok := m["left_out"].(float64); ok {
			n += int(left)
		}
	}
	return n
}

// TestRepeatedFailureIsOneLineASecond logs what 740 requests a second run into.
func TestRepeatedFailureIsOneLineASecond(t *testing.T) {
	log, l, clock, out := limited()
	const seconds, each = 10, 740
	for i := range seconds * each {
		log.Warn().Err(errors.New("write 10.0.0.1:"+fmt.Sprint(40000+i)+": no space left on device")).
			Str("task", fmt.Sprintf("t_%d", i%50)).Str("host", "app.example:443").Str("code", "not_recorded").
			Str("record", fmt.Sprintf("r_%d", i)).Msg("refused")
		clock.advance(time.Second / each)
	}
	l.Flush()

	lines := parse(t, out.Bytes())
	if len(lines) > seconds+2 {
		t.Errorf("%d lines in %d seconds, want one a second", len(lines), seconds)
	}
	if n := total(lines); n != seconds*each {
		t.Errorf("lines and left_out count %d lines, want %d", n, seconds*each)
	}
}

// TestEveryNewFailureIsWrittenAtOnce logs other failures of the same kind in a storm.
func TestEveryNewFailureIsWrittenAtOnce(t *testing.T) {
	log, _, _, out := limited()
	for range 100 {
		log.Warn().Str("host", "a.example:443").Str("code", "upstream_unreachable").Str("record", "r_1").Msg("refused")
	}
	log.Warn().Str("host", "b.example:443").Str("code", "upstream_unreachable").Str("record", "r_2").Msg("refused")
	log.Warn().Str("host", "a.example:443").Str("code", "login_failed").Str("record", "r_3").Msg("refused")
	log.Error().Err(errors.New("permission denied")).Msg("alert not recorded")

	lines := parse(t, out.Bytes())
	if len(lines) != 4 {
		t.Fatalf("%d lines, want the first of each: %s", len(lines), out)
	}
	if lines[1]["host"] != "b.example:443" || lines[1]["left_out"] != 99.0 {
		t.Errorf("the second line: %v, want that of b.example with 99 left out", lines[1])
	}
}

// TestLinesAboutTasksAreToldApart: without a record, a line is the only place that
// names the task.
func TestLinesAboutTasksAreToldApart(t *testing.T) {
	log, _, _, out := limited()
	for i := range 5 {
		log.Warn().Str("task", fmt.Sprint("t_", i)).Msg("stored task dropped")
	}
	if lines := parse(t, out.Bytes()); len(lines) != 5 {
		t.Errorf("%d lines, want one for each task: %s", len(lines), out)
	}
}

// TestNewContentsOfOneKindAreBounded: an agent chooses names.
func TestNewContentsOfOneKindAreBounded(t *testing.T) {
	log, l, clock, out := limited()
	const seconds, each = 20, 500
	for i := range seconds * each {
		log.Warn().Str("host", fmt.Sprintf("h%d.example:443", i)).Str("code", "upstream_unreachable").Str("record", "r_1").Msg("refused")
		clock.advance(time.Second / each)
	}
	l.Flush()

	lines := parse(t, out.Bytes())
	if len(lines) > 2*seconds+maxNew+2 {
		t.Errorf("%d lines in %d seconds", len(lines), seconds)
	}
	if n := total(lines); n != seconds*each {
		t.Errorf("lines and left_out count %d lines, want %d", n, seconds*each)
	}
	if len(l.said) > maxSaid {
		t.Errorf("%d contents are remembered", len(l.said))
	}
}

// TestLastLineIsWrittenWhenTheStormIsOver counts what was left out although nothing
// follows.
func TestLastLineIsWrittenWhenTheStormIsOver(t *testing.T) {
	log, _, clock, out := limited()
	for i := range 3 {
		log.Warn().Str("record", fmt.Sprint("r_", i)).Msg("refused")
	}
	clock.advance(2 * time.Second)

	lines := parse(t, out.Bytes())
	if len(lines) != 2 || lines[1]["record"] != "r_2" || lines[1]["left_out"] != 1.0 {
		t.Errorf("got %s, want the first line and the last with one left out", out)
	}
}

// TestDebugLinesAllPass holds that debug level leaves nothing out.
func TestDebugLinesAllPass(t *testing.T) {
	log, _, _, out := limited()
	for range 50 {
		log.Debug().Str("code", "out_of_scope").Msg("refused")
	}
	if lines := parse(t, out.Bytes()); len(lines) != 50 {
		t.Errorf("%d lines, want 50", len(lines))
	}
}

// TestLimiterCountsUnderConcurrency runs with -race.
func TestLimiterCountsUnderConcurrency(t *testing.T) {
	out := &bytes.Buffer{}
	l := NewLimiter(out)
	log := zerolog.New(l)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 500 {
				log.Warn().Str("code", "x").Msg("refused")
			}
		})
	}
	wait.Wait()
	l.Flush()

	l.mu.Lock()
	defer l.mu.Unlock()
	if n := total(parse(t, out.Bytes())); n != 4000 {
		t.Errorf("lines and left_out count %d lines, want 4000", n)
	}
}

// fullDisk takes some bytes and then none, until it is emptied.
type fullDisk struct {
	written bytes.Buffer
	room    int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.written.Write(b[:n])
	d.room -= n
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// TestLinesStayWholeOnAFullDisk cuts a line at each byte.
func TestLinesStayWholeOnAFullDisk(t *testing.T) {
	line := []byte(`{"level":"warn","message":"refused"}` + "\n")
	for room := range len(line) + 1 {
		d := &fullDisk{room: room}
		w := &wholeLines{out: d}
		_, _ = w.Write(line)
		_, _ = w.Write(line)
		d.room = 1 << 20
		_, _ = w.Write(line)
		parse(t, d.written.Bytes())
		if d.written.Bytes()[d.written.Len()-1] != '\n' {
			t.Errorf("room for %d bytes: %q", room, d.written.Bytes())
		}
	}
}

// FuzzClassify compares the members that classify reads with those of encoding/json.
func FuzzClassify(f *testing.F) {
	f.Add("refused", "a \"quoted\" \\ text, {1: [2]}", "x")
	f.Add("", "\x00\xff}", "],\"")
	f.Fuzz(func(t *testing.T, message, err, list string) {
		out := &bytes.Buffer{}
		log := zerolog.New(out)
		log.Warn().Err(errors.New(err)).Strs("list", []string{list, list}).Int("n", -3).Dict("d", zerolog.Dict().Str("x", list)).Msg(message)

		var want map[string]json.RawMessage
		if err := json.Unmarshal(out.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		got := 0
		ok := eachMember(out.Bytes(), func(name, value []byte) {
			got++
			if !bytes.Equal(want[string(name)], value) {
				t.Errorf("%s: %s, want %s", name, value, want[string(name)])
			}
		})
		if !ok || got != len(want) {
			t.Errorf("%s: read %d members (%v), want %d", out, got, ok, len(want))
		}
	})
}

func BenchmarkLimiterInAStorm(b *testing.B) {
	log := zerolog.New(NewLimiter(io.Discard)).With().Timestamp().Logger()
	for b.Loop() {
		log.Warn().Err(io.ErrShortWrite).Str("task", "t_1").Str("host", "app.example:443").Str("code", "not_recorded").Str("record", "r_1").Msg("refused")
	}
}
