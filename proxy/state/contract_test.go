package state

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testClock is a clock that tests move.
type testClock struct{ ns atomic.Int64 }

func (c *testClock) now() time.Time                  { return time.Unix(0, c.ns.Load()) }
func (c *testClock) advance(d time.Duration)         { c.ns.Add(int64(d)) }
func (c *testClock) after(d time.Duration) time.Time { return c.now().Add(d) }

// testStore tests what every Store guarantees. Call it from the test of each
// kind, with a function that opens a new empty store.
func testStore(t *testing.T, open func(t *testing.T, now func() time.Time) Store) {
	for name, test := range map[string]func(t *testing.T, s Store, c *testClock){
		"tasks are kept":                  testTasksAreKept,
		"I5 an account has one holder":    testOneHolder,
		"I5 a stale holder cannot write":  testStaleHolder,
		"I5 concurrent acquires":          testConcurrentAcquires,
		"names are kept apart":            testNamesAreKeptApart,
		"one caller sees a key first":     testFirstSight,
		"a quarantine stays until lifted": testQuarantine,
		"logins are kept":                 testLoginsAreKept,
		"a step is reserved once":         testReserveStep,
		"a closed store fails":            testClosedStore,
		"byte slices belong to the owner": testBytesAreCopied,
	} {
		t.Run(name, func(t *testing.T) {
			var c testClock
			c.advance(time.Hour)
			s := open(t, c.now)
			t.Cleanup(func() { _ = s.Close() })
			test(t, s, &c)
		})
	}
}

// must returns v, or fails the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantNil(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s returned %v", what, err)
	}
}

func testTasksAreKept(t *testing.T, s Store, c *testClock) {
	for _, id := range []string{"t_2", "t_1", "t_2"} {
		wantNil(t, "PutTask", s.PutTask(Task{id, []byte("doc of " + id), c.after(time.Minute)}))
	}

	got := must(s.Tasks())(t)
	if len(got) != 2 || got[0].ID != "t_1" || got[1].ID != "t_2" {
		t.Fatalf("Tasks returned %+v, want t_1 and t_2", got)
	}
	if string(got[0].Doc) != "doc of t_1" || !got[1].Expires.Equal(c.after(time.Minute)) {
		t.Errorf("Tasks returned %+v, want what was put", got)
	}

	for range 2 {
		wantNil(t, "DropTask", s.DropTask("t_1"))
	}
	if got := must(s.Tasks())(t); len(got) != 1 {
		t.Errorf("Tasks returned %+v after DropTask, want t_2 alone", got)
	}
}

func testOneHolder(t *testing.T, s Store, c *testClock) {
	acquire := func(task string) (uint64, error) {
		return s.AcquireLease("wiki", "a", task, c.after(time.Minute))
	}

	first := must(acquire("t_1"))(t)
	var held interface{ Held() bool }
	if _, err := acquire("t_2"); !errors.Is(err, ErrHeld) || !errors.As(err, &held) || !held.Held() {
		t.Errorf("AcquireLease of a second task returned %v, want ErrHeld", err)
	}

	again := must(acquire("t_1"))(t)
	c.advance(2 * time.Minute)
	lapsed := must(acquire("t_2"))(t)
	wantNil(t, "ReleaseLease", s.ReleaseLease("wiki", "a", lapsed))
	if l := must(s.Leases())(t); len(l) != 0 {
		t.Errorf("Leases returned %+v after the release, want none", l)
	}

	last := must(acquire("t_3"))(t)
	if first >= again || again >= lapsed || lapsed >= last {
		t.Errorf("fences %d, %d, %d, %d do not rise", first, again, lapsed, last)
	}
	want := Lease{"wiki", "a", "t_3", last, c.after(time.Minute)}
	got := must(s.Leases())(t)
	if len(got) != 1 || !got[0].Until.Equal(want.Until) || got[0].Fence != last || got[0].Task != "t_3" {
		t.Errorf("Leases returned %+v, want %+v", got, want)
	}
}

func testStaleHolder(t *testing.T, s Store, c *testClock) {
	stale := must(s.AcquireLease("wiki", "a", "t_1", c.after(time.Minute)))(t)
	c.advance(2 * time.Minute)
	current := must(s.AcquireLease("wiki", "a", "t_2", c.after(time.Minute)))(t)
	wantNil(t, "PutSession", s.PutSession("wiki", "a", current, []byte("sealed")))

	for call, err := range map[string]error{
		"RenewLease":                  s.RenewLease("wiki", "a", stale, c.after(time.Hour)),
		"ReleaseLease":                s.ReleaseLease("wiki", "a", stale),
		"PutSession":                  s.PutSession("wiki", "a", stale, []byte("forged")),
		"DropSession":                 s.DropSession("wiki", "a", stale),
		"PutSession without a holder": s.PutSession("wiki", "b", 0, []byte("forged")),
	} {
		var st interface{ Stale() bool }
		if !errors.Is(err, ErrStale) || !errors.As(err, &st) || !st.Stale() {
			t.Errorf("%s with a stale fence returned %v, want ErrStale", call, err)
		}
	}
	if got := must(s.Session("wiki", "a"))(t); string(got) != "sealed" {
		t.Errorf("Session returned %q, want what the current holder put", got)
	}

	wantNil(t, "RenewLease", s.RenewLease("wiki", "a", current, c.after(time.Hour)))
	c.advance(30 * time.Minute)
	if _, err := s.AcquireLease("wiki", "a", "t_1", c.after(time.Minute)); !errors.Is(err, ErrHeld) {
		t.Errorf("AcquireLease of a renewed lease returned %v, want ErrHeld", err)
	}

	for range 2 {
		wantNil(t, "DropSession", s.DropSession("wiki", "a", current))
	}
	if _, err := s.Session("wiki", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Session after DropSession returned %v, want ErrNotFound", err)
	}
}

func testConcurrentAcquires(t *testing.T, s Store, c *testClock) {
	var holders atomic.Int32
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			_, err := s.AcquireLease("wiki", "a", fmt.Sprint("t_", i), c.after(time.Minute))
			if err == nil {
				holders.Add(1)
			} else if !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := holders.Load(); n != 1 {
		t.Errorf("%d of 64 tasks acquired the account, want 1", n)
	}
}

func testNamesAreKeptApart(t *testing.T, s Store, c *testClock) {
	for _, n := range [][2]string{
		{"a", "b/c"}, {"a/b", "c"},
		{"a\x00b", "c"}, {"a", "b\x00c"},
		{`a","b`, "c"}, {"a", `b","c`},
	} {
		if _, err := s.AcquireLease(n[0], n[1], fmt.Sprint(n), c.after(time.Minute)); err != nil {
			t.Errorf("adapter %q, account %q: AcquireLease returned %v", n[0], n[1], err)
		}
	}
}

func testFirstSight(t *testing.T, s Store, _ *testClock) {
	var firsts atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			first, err := s.FirstSight("hmac-sha256:aa")
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	wg.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d of 16 callers saw the key first, want 1", n)
	}
	if !must(s.FirstSight("hmac-sha256:ab"))(t) {
		t.Error("another key was known")
	}
}

func testBytesAreCopied(t *testing.T, s Store, c *testClock) {
	doc, sealed := []byte("doc"), []byte("sealed")
	fence := must(s.AcquireLease("wiki", "a", "t_1", c.after(time.Minute)))(t)
	wantNil(t, "PutTask", s.PutTask(Task{"t_1", doc, c.after(time.Minute)}))
	wantNil(t, "PutSession", s.PutSession("wiki", "a", fence, sealed))
	doc[0], sealed[0] = 'X', 'X'

	for range 2 {
		gotDoc := must(s.Tasks())(t)[0].Doc
		gotSealed := must(s.Session("wiki", "a"))(t)
		if string(gotDoc) != "doc" || string(gotSealed) != "sealed" {
			t.Errorf("the store returned %q and %q, want doc and sealed", gotDoc, gotSealed)
		}
		gotDoc[0], gotSealed[0] = 'X', 'X'
	}
}

func testClosedStore(t *testing.T, s Store, _ *testClock) {
	wantNil(t, "Close", s.Close())
	if err := s.PutTask(Task{ID: "t_1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("PutTask after Close returned %v, want ErrClosed", err)
	}
	if _, err := s.Tasks(); !errors.Is(err, ErrClosed) {
		t.Errorf("Tasks after Close returned %v, want ErrClosed", err)
	}
	if _, err := s.FirstSight("hmac-sha256:aa"); !errors.Is(err, ErrClosed) {
		t.Errorf("FirstSight after Close returned %v, want ErrClosed", err)
	}
}

func testQuarantine(t *testing.T, s Store, _ *testClock) {
	for _, q := range []Quarantine{{"wiki", "b", "first"}, {"wiki", "a", "x"}, {"wiki", "b", "second"}} {
		if err := s.Quarantine(q.Adapter, q.Account, q.Why); err != nil {
			t.Fatal(err)
		}
	}
	want := []Quarantine{{"wiki", "a", "x"}, {"wiki", "b", "first"}}
	if got := must(s.Quarantined())(t); !slices.Equal(got, want) {
		t.Errorf("Quarantined returned %v, want %v", got, want)
	}

	for range 2 {
		if err := s.LiftQuarantine("wiki", "a"); err != nil {
			t.Fatal(err)
		}
	}
	if got := must(s.Quarantined())(t); !slices.Equal(got, want[1:]) {
		t.Errorf("after LiftQuarantine it returned %v, want %v", got, want[1:])
	}
}
