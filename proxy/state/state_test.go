package state

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	writeUntilKilled()
	goleak.VerifyTestMain(m)
}

// registerForTest registers a kind until the test ends.
func registerForTest(t *testing.T, scheme string, open openStore) {
	t.Helper()
	before := maps.Clone(storeKinds)
	t.Cleanup(func() { storeKinds = before })
	registerStore(scheme, open)
}

// renamedStore is a store that this file alone adds.
type renamedStore struct {
	*Memory
	name string // from the URL
}

func TestAStoreIsAddedByOneFile(t *testing.T) {
	registerForTest(t, "renamed", func(rest string, now func() time.Time) (Store, error) {
		return renamedStore{NewMemory(now), rest}, nil
	})

	testStore(t, func(t *testing.T, now func() time.Time) Store {
		s, err := Open("renamed:cluster-1", now)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := s.(renamedStore); !ok || r.name != "cluster-1" {
			t.Fatalf("Open returned %#v, want the registered store with the rest of the URL", s)
		}
		return s
	})
}

func TestOpenChoosesTheStoreByItsScheme(t *testing.T) {
	bolt, err := Open(DefaultURL(t.TempDir()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	if _, ok := bolt.(*Bolt); !ok {
		t.Errorf("DefaultURL opens a %T, want a *Bolt", bolt)
	}

	memory, err := Open("memory:", nil)
	if _, ok := memory.(*Memory); !ok {
		t.Errorf("memory: opens a %T (%v), want a *Memory", memory, err)
	}

	for _, url := range []string{"", "/var/lib/state.db", "mysql://db"} {
		if _, err := Open(url, nil); err == nil || !strings.Contains(err.Error(), "bolt, memory") {
			t.Errorf("%q: Open returned %v, want the known schemes", url, err)
		}
	}
}

func TestMemoryContract(t *testing.T) {
	testStore(t, func(_ *testing.T, now func() time.Time) Store { return NewMemory(now) })
}

func TestBoltContract(t *testing.T) {
	testStore(t, func(t *testing.T, now func() time.Time) Store {
		b, err := OpenBolt(filepath.Join(t.TempDir(), "state.db"), now)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestASecondProcessIsToldTheRemedy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	first := must(OpenBolt(path, nil))(t)
	defer first.Close()
	if _, err := OpenBolt(path, nil); err == nil || !strings.Contains(err.Error(), "data_dir") {
		t.Errorf("the second OpenBolt returned %v, want the remedy", err)
	}
}

func BenchmarkBoltRenew(b *testing.B) {
	s, err := OpenBolt(filepath.Join(b.TempDir(), "state.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	fence, err := s.AcquireLease("wiki", "a", "t_1", time.Now().Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}

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
