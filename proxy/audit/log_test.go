package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("BYLINE_AUDIT_CHILD"); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if c2sp.path != "" {
			os.Remove(c2sp.path)
		}
		os.Exit(code)
	}))
}

var testKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
var testPub = PublicKey{Key: testKey.Public().(ed25519.PublicKey)}

func openLog(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg, testKey, "test-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func intent(n int) *Record {
	return &Record{Kind: "intent", Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example",
		Task: "t_5", Grant: "sha256:" + strings.Repeat("ab", 32), Adapter: "mediawiki", AdapterDigest: "sha256:" + strings.Repeat("cd", 32),
		PolicyDigest: "sha256:" + strings.Repeat("ef", 32), Action: "page.edit", Resource: fmt.Sprintf("page/Sandbox%d", n), Method: "POST",
		Host: "wiki.acme.example", Path: "/index.php", Account: "svc-1", Lease: "l_7",
		Stripped: []Stripped{{In: "cookie", Name: "wikiUserID", Fingerprint: "hmac-sha256:" + strings.Repeat("0", 32)}},
		Decision: Decision{Effect: "permit", Policies: []string{"grant.0"}}}
}

func mustWait(t testing.TB, tickets ...Ticket) {
	t.Helper()
	for _, k := range tickets {
		if err := k.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// mustVerify wants a log without fault that holds every id.
func mustVerify(t testing.TB, dir string, ids ...string) Report {
	t.Helper()
	rep, err := Verify(dir, testPub, nil)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for r, err := range Tail(context.Background(), dir, int(rep.Records), false) {
		if err != nil {
			t.Fatal(err)
		}
		have[r.ID] = true
	}
	for _, id := range ids {
		if !have[id] {
			t.Fatalf("record %s was acknowledged and is gone", id)
		}
	}
	return rep
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
				k := l.Append(intent(w*100 + n))
				if err := k.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				out := l.Append(&Record{Kind: "outcome", Intent: k.ID(), Status: 200})
				mu.Lock()
				ids = append(ids, k.ID(), out.ID())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if live, err := Verify(dir, testPub, nil); err != nil || live.Closed {
		t.Fatalf("live log: %+v, %v", live, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rep := mustVerify(t, dir, ids...)
	if !rep.Closed || rep.Unsealed != 0 || rep.Unfinished != 0 || len(rep.Open) != 0 || rep.Segments < 10 {
		t.Errorf("report of a closed log: %+v", rep)
	}
	if s := l.Stats(); uint64(s.Records) != rep.Records || s.Groups >= s.Records || s.Checkpoints < int64(rep.Segments) {
		t.Errorf("stats %+v, the log holds %d records", s, rep.Records)
	}
	for _, s := range must(segments(dir)) {
		if b := must(os.ReadFile(s.path)); strings.ContainsRune(string(b), 0) {
			t.Errorf("%s holds padding after Close", s.path)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestReopenGoesOnWithTheChain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		l := openLog(t, Config{Dir: dir})
		mustWait(t, l.Append(intent(1)))
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if rep := mustVerify(t, dir); rep.Records != 6 || rep.Segments != 1 || len(rep.Open) != 3 {
		t.Errorf("three runs of one intent and one checkpoint each: %+v", rep)
	}
	l := openLog(t, Config{Dir: dir})
	l.Close()
	if rep := mustVerify(t, dir); rep.Records != 6 {
		t.Errorf("a run without records added %d", rep.Records-6)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	dir := t.TempDir()
	openLog(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir}, testKey, "test-2")
	if err == nil || !strings.Contains(err.Error(), "stop that byline") {
		t.Errorf("second writer: %v", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	l := openLog(t, Config{Dir: t.TempDir()})
	for name, r := range map[string]*Record{
		"own kind": {Kind: KindCheckpoint}, "recovery": {Kind: KindRecovery}, "too long": {Kind: "task", Agent: strings.Repeat("x", maxLine)},
	} {
		if err := l.Append(r).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Close()
	if err := l.Append(intent(1)).Wait(t.Context()); !errors.Is(err, ErrNotRecorded) {
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
	l.Append(intent(1))
	l.Close()
	other := must(NewKey())
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
	mustWait(t, l.Append(intent(1)))
	mu.Lock()
	clock = at.Add(-time.Hour)
	mu.Unlock()
	mustWait(t, l.Append(intent(2)))
	mustWait(t, l.Append(intent(3)))
	l.Close()
	mustVerify(t, dir)
	clocks := 0
	for r, err := range Tail(t.Context(), dir, 100, false) {
		if err != nil || !r.Time.Equal(at) {
			t.Errorf("%v %v", r.Time, err)
		}
		if r.Kind == KindClock && strings.Contains(r.Detail, "1h0m0s") {
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
		mustWait(t, l.Append(intent(1)), l.Append(intent(2)))
		l.Close()
		path := filepath.Join(dir, segmentName(0))
		return dir, path, must(os.ReadFile(path))
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
		if rep, err := Verify(dir, testPub, nil); err != nil || rep.Unfinished != c.cut {
			t.Errorf("%s: before: %+v %v", name, rep, err)
		}
		openLog(t, Config{Dir: dir}).Close()
		mustVerify(t, dir)
		var said int64 = -1
		for r := range Tail(t.Context(), dir, 2, false) {
			if r.Kind == KindRecovery {
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
		if _, err := Open(Config{Dir: dir}, testKey, "x"); err == nil || !strings.Contains(err.Error(), "byline audit verify") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
