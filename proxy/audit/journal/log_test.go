package journal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("BYLINE_AUDIT_CHILD"); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		audittest.RemoveC2SP()
		os.Exit(code)
	}))
}

func openLog(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg, audittest.Key, "test-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustWait(t testing.TB, tickets ...Ticket) {
	t.Helper()
	for _, k := range tickets {
		if err := k.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir, SegmentBytes: 8192, CheckpointEvery: 3 * time.Millisecond})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	for w := range 8 {
		wg.Go(func() {
			for n := range 40 {
				k := l.Append(audittest.Intent(w*100 + n))
				if err := k.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				out := l.Append(&audit.Record{Kind: "outcome", Intent: k.ID(), Status: 200})
				mu.Lock()
				ids = append(ids, k.ID(), out.ID())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if live, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil || live.Closed {
		t.Fatalf("live log: %+v, %v", live, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rep := audittest.Verify(t, dir, ids...)
	if !rep.Closed || rep.Unsealed != 0 || rep.Unfinished != 0 || len(rep.Open) != 0 || rep.Segments < 10 {
		t.Errorf("report of a closed log: %+v", rep)
	}
	if s := l.Stats(); uint64(s.Records) != rep.Records || s.Groups >= s.Records || s.Checkpoints < int64(rep.Segments) {
		t.Errorf("stats %+v, the log holds %d records", s, rep.Records)
	}
	for _, s := range audittest.Must(segment.List(dir)) {
		if b := audittest.Must(os.ReadFile(s.Path)); strings.ContainsRune(string(b), 0) {
			t.Errorf("%s holds padding after Close", s.Path)
		}
	}
}

func TestReopenGoesOnWithTheChain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		l := openLog(t, Config{Dir: dir})
		mustWait(t, l.Append(audittest.Intent(1)))
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if rep := audittest.Verify(t, dir); rep.Records != 6 || rep.Segments != 1 || len(rep.Open) != 3 {
		t.Errorf("three runs of one intent and one checkpoint each: %+v", rep)
	}
	l := openLog(t, Config{Dir: dir})
	l.Close()
	if rep := audittest.Verify(t, dir); rep.Records != 6 {
		t.Errorf("a run without records added %d", rep.Records-6)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	dir := t.TempDir()
	openLog(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir}, audittest.Key, "test-2")
	if err == nil || !strings.Contains(err.Error(), "stop that byline") {
		t.Errorf("second writer: %v", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	l := openLog(t, Config{Dir: t.TempDir()})
	for name, r := range map[string]*audit.Record{
		"own kind": {Kind: audit.KindCheckpoint}, "recovery": {Kind: audit.KindRecovery}, "too long": {Kind: "task", Agent: strings.Repeat("x", segment.MaxLine)},
	} {
		if err := l.Append(r).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Close()
	if err := l.Append(audittest.Intent(1)).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("after Close: %v", err)
	}
	if err := (Ticket{}).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("zero ticket: %v", err)
	}
	if l.Stats().Refused != 4 {
		t.Errorf("refused %d", l.Stats().Refused)
	}
}

func TestOpenRefusesAnotherKey(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	l.Append(audittest.Intent(1))
	l.Close()
	other := audittest.Must(NewKey())
	if _, err := Open(Config{Dir: dir}, other, "x"); err == nil || !strings.Contains(err.Error(), "restore the key") {
		t.Errorf("%v", err)
	}
	openLog(t, Config{Dir: dir}) // the refusal gave up the lock
}

func TestTimeNeverGoesBack(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	clock := at
	var mu sync.Mutex
	l := openLog(t, Config{Dir: dir, now: func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }})
	mustWait(t, l.Append(audittest.Intent(1)))
	mu.Lock()
	clock = at.Add(-time.Hour)
	mu.Unlock()
	mustWait(t, l.Append(audittest.Intent(2)))
	mustWait(t, l.Append(audittest.Intent(3)))
	l.Close()
	audittest.Verify(t, dir)
	clocks := 0
	for r, err := range audit.Tail(t.Context(), dir, 100, false) {
		if err != nil || !r.Time.Equal(at) {
			t.Errorf("%v %v", r.Time, err)
		}
		if r.Kind == audit.KindClock && strings.Contains(r.Detail, "1h0m0s") {
			clocks++
		}
	}
	if clocks != 1 {
		t.Errorf("%d clock records", clocks)
	}
}

func TestOpenCutsATornTail(t *testing.T) {
	whole := func() (string, string, []byte) {
		dir := t.TempDir()
		l := openLog(t, Config{Dir: dir})
		mustWait(t, l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2)))
		l.Close()
		path := filepath.Join(dir, segment.Name(0))
		return dir, path, audittest.Must(os.ReadFile(path))
	}
	for name, c := range map[string]struct {
		tail string
		cut  int64
	}{
		"half a line":          {`{"v":1,"se`, 10},
		"half a line, padding": {`{"v":1,"se` + strings.Repeat("\x00", 5000), 10},
		"a hole in a group":    {strings.Repeat("\x00", 512) + `"x"}` + "\n" + strings.Repeat("\x00", 512), 512 + 5},
	} {
		dir, path, b := whole()
		os.WriteFile(path, append(b, c.tail...), 0o600)
		if rep, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil || rep.Unfinished != c.cut {
			t.Errorf("%s: before: %+v %v", name, rep, err)
		}
		openLog(t, Config{Dir: dir}).Close()
		audittest.Verify(t, dir)
		var said int64 = -1
		for r := range audit.Tail(t.Context(), dir, 2, false) {
			if r.Kind == audit.KindRecovery {
				said = r.Cut
			}
		}
		if said != c.cut {
			t.Errorf("%s: recovery says %d bytes, want %d", name, said, c.cut)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"a changed line":    func(b []byte) []byte { b[200] ^= 1; return b },
		"a line that is no": func(b []byte) []byte { return append(b, "{}\n"...) },
	} {
		dir, path, b := whole()
		os.WriteFile(path, change(b), 0o600)
		if _, err := Open(Config{Dir: dir}, audittest.Key, "x"); err == nil || !strings.Contains(err.Error(), "byline audit verify") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwoProcessesOnOneLog has a second process open a log that the first one
// writes: it is told so, and harms nothing.
func TestTwoProcessesOnOneLog(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	kept := fill(t, l, 5)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BYLINE_AUDIT_CHILD="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "stop that byline") {
		t.Errorf("%v: %s", err, out)
	}
	kept = append(kept, fill(t, l, 5)...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	audittest.Verify(t, dir, kept...)
}
