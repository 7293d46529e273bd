package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time               { return time.Unix(0, c.ns.Load()) }
func (c *clock) pass(d time.Duration)         { c.ns.Add(int64(d)) }
func (c *clock) in(d time.Duration) time.Time { return c.now().Add(d) }

// TestContract holds every Store to the same promises.
func TestContract(t *testing.T) {
	stores := map[string]func(t *testing.T, c *clock) Store{
		"memory": func(t *testing.T, c *clock) Store { return NewMemory(c.now) },
		"bolt": func(t *testing.T, c *clock) Store {
			b, err := OpenBolt(filepath.Join(t.TempDir(), "state.db"), c.now)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
	}
	promises := map[string]func(t *testing.T, s Store, c *clock){
		"tasks": tasksAreKept, "I5 one holder": oneHolder, "I5 a stale holder cannot write": staleCannotWrite,
		"I5 many at once": manyAtOnce, "names do not run together": namesApart, "closed": closedRefuses,
		"one is the first to see": oneSeesFirst,
	}
	for store, open := range stores {
		for promise, holds := range promises {
			t.Run(store+"/"+promise, func(t *testing.T) {
				var c clock
				c.pass(time.Hour)
				s := open(t, &c)
				t.Cleanup(func() { _ = s.Close() })
				holds(t, s, &c)
			})
		}
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func tasksAreKept(t *testing.T, s Store, c *clock) {
	doc := []byte("one")
	for _, id := range []string{"t_2", "t_1", "t_2"} {
		if err := s.PutTask(Task{id, doc, c.in(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	doc[0] = 'X'
	got := must[[]Task](t)(s.Tasks())
	if len(got) != 2 || got[0].ID != "t_1" || string(got[0].Doc) != "one" || !got[1].Expires.Equal(c.in(time.Minute)) {
		t.Errorf("got %+v", got)
	}
	for range 2 {
		if err := s.DropTask("t_1"); err != nil {
			t.Error(err)
		}
	}
	if got := must[[]Task](t)(s.Tasks()); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

func oneHolder(t *testing.T, s Store, c *clock) {
	acquire := func(task string) (uint64, error) { return s.AcquireLease("wiki", "a", task, c.in(time.Minute)) }
	first := must[uint64](t)(acquire("t_1"))
	var h interface{ Held() bool }
	if _, err := acquire("t_2"); !errors.Is(err, ErrHeld) || !errors.As(err, &h) || !h.Held() {
		t.Errorf("second task: %v", err)
	}
	again := must[uint64](t)(acquire("t_1"))
	c.pass(2 * time.Minute)
	lapsed := must[uint64](t)(acquire("t_2"))
	if err := s.ReleaseLease("wiki", "a", lapsed); err != nil {
		t.Fatal(err)
	}
	if l := must[[]Lease](t)(s.Leases()); len(l) != 0 {
		t.Errorf("released, yet listed: %+v", l)
	}
	last := must[uint64](t)(acquire("t_3"))
	if first >= again || again >= lapsed || lapsed >= last {
		t.Errorf("fences %d %d %d %d do not rise", first, again, lapsed, last)
	}
	want := Lease{"wiki", "a", "t_3", last, c.in(time.Minute)}
	l := must[[]Lease](t)(s.Leases())
	if len(l) != 1 || !l[0].Until.Equal(want.Until) || l[0].Fence != last || l[0].Task != "t_3" {
		t.Errorf("got %+v, want %+v", l, want)
	}
}

func staleCannotWrite(t *testing.T, s Store, c *clock) {
	old := must[uint64](t)(s.AcquireLease("wiki", "a", "t_1", c.in(time.Minute)))
	c.pass(2 * time.Minute)
	cur := must[uint64](t)(s.AcquireLease("wiki", "a", "t_2", c.in(time.Minute)))
	if err := s.PutSession("wiki", "a", cur, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"renew": s.RenewLease("wiki", "a", old, c.in(time.Hour)), "release": s.ReleaseLease("wiki", "a", old),
		"put": s.PutSession("wiki", "a", old, []byte("forged")), "drop": s.DropSession("wiki", "a", old),
		"nobody's": s.PutSession("wiki", "b", 0, []byte("forged")),
	} {
		var st interface{ Stale() bool }
		if !errors.Is(err, ErrStale) || !errors.As(err, &st) || !st.Stale() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := must[[]byte](t)(s.Session("wiki", "a")); string(got) != "sealed" {
		t.Errorf("session %q", got)
	}
	if err := s.RenewLease("wiki", "a", cur, c.in(time.Hour)); err != nil {
		t.Error(err)
	}
	c.pass(30 * time.Minute)
	if _, err := s.AcquireLease("wiki", "a", "t_1", c.in(time.Minute)); !errors.Is(err, ErrHeld) {
		t.Errorf("renewed, yet taken: %v", err)
	}
	if err := s.DropSession("wiki", "a", cur); err != nil {
		t.Error(err)
	}
	if _, err := s.Session("wiki", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("dropped: %v", err)
	}
}

func manyAtOnce(t *testing.T, s Store, c *clock) {
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			_, err := s.AcquireLease("wiki", "a", fmt.Sprint("t_", i), c.in(time.Minute))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrHeld):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d winners", won.Load())
	}
}

func namesApart(t *testing.T, s Store, c *clock) {
	for _, p := range [][2]string{{"a", "b/c"}, {"a/b", "c"}, {"a\x00b", "c"}, {"a", "b\x00c"}, {`a","b`, "c"}, {"a", `b","c`}} {
		must[uint64](t)(s.AcquireLease(p[0], p[1], fmt.Sprint(p), c.in(time.Minute)))
	}
}

func closedRefuses(t *testing.T, s Store, c *clock) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.PutTask(Task{ID: "t_1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Tasks(); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestSecondProcessIsToldTheRemedy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	first := must[*Bolt](t)(OpenBolt(path, nil))
	defer first.Close()
	_, err := OpenBolt(path, nil)
	if err == nil || !strings.Contains(err.Error(), "data_dir") {
		t.Errorf("got %v", err)
	}
}

func TestMain(m *testing.M) {
	child()
	goleak.VerifyTestMain(m)
}

func BenchmarkBoltRenew(b *testing.B) {
	s, err := OpenBolt(filepath.Join(b.TempDir(), "state.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	fence, _ := s.AcquireLease("wiki", "a", "t_1", time.Now().Add(time.Hour))
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.RenewLease("wiki", "a", fence, time.Now().Add(time.Hour)); err != nil {
				b.Error(err)
			}
		}
	})
}

func oneSeesFirst(t *testing.T, s Store, _ *clock) {
	var firsts atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if must[bool](t)(s.FirstSight("hmac-sha256:aa")) {
				firsts.Add(1)
			}
		})
	}
	all.Wait()
	if firsts.Load() != 1 {
		t.Errorf("%d callers were told that they saw it first", firsts.Load())
	}
	if !must[bool](t)(s.FirstSight("hmac-sha256:ab")) {
		t.Error("another key was known already")
	}
}
