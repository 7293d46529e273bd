package state

import (
	"slices"
	"sync"
	"testing"
)

func testLoginsAreKept(t *testing.T, s Store, _ *testClock) {
	for _, l := range [][3]string{
		{"wiki", "b", "first"}, {"wiki", "a", "x"}, {"crm", "z", "y"},
		{"wiki", "b", "second"}, {"crm", "z", ""}, {"crm", "none", ""},
	} {
		wantNil(t, "PutLogins", s.PutLogins(l[0], l[1], []byte(l[2])))
	}

	for range 2 {
		var got []string
		wantNil(t, "Logins", s.Logins(func(adapter, account string, doc []byte) {
			got = append(got, adapter+"/"+account+" "+string(doc))
			doc[0] = 'X' // belongs to this function
		}))
		if want := []string{"wiki/a x", "wiki/b second"}; !slices.Equal(got, want) {
			t.Fatalf("Logins visited %q, want %q", got, want)
		}
	}
}

func testReserveStep(t *testing.T, s Store, _ *testClock) {
	reserve := func(key string, first, last int64) int64 {
		t.Helper()
		step, ok, err := s.ReserveStep(key, first, last)
		wantNil(t, "ReserveStep", err)
		if !ok {
			return -1
		}
		return step
	}

	for i, c := range []struct {
		key               string
		first, last, want int64
	}{
		{"a", 10, 11, 10},
		{"a", 10, 11, 11},
		{"a", 10, 11, -1},
		{"b", 10, 11, 10},
		{"a", 12, 13, 12},
		{"a", 9, 10, 9}, // after the clock went back
		{"a", 9, 12, -1},
	} {
		if got := reserve(c.key, c.first, c.last); got != c.want {
			t.Errorf("call %d: step %d of %d to %d, want %d", i+1, got, c.first, c.last, c.want)
		}
	}

	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			step, ok, err := s.ReserveStep("c", 100, 115)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || !ok || seen[step] {
				t.Errorf("ReserveStep returned %d, %v, %v; want a step that nobody else got", step, ok, err)
			}
			seen[step] = true
		})
	}
	wg.Wait()

	for step := range int64(2 * keptSteps) {
		reserve("d", step, step)
	}
	for step := int64(keptSteps); step < 2*keptSteps; step++ {
		if got := reserve("d", step, step); got != -1 {
			t.Fatalf("step %d of the last %d was returned twice", step, keptSteps)
		}
	}
}
