package state

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"
)

// TestBoltWritesNoMorePagesWithMoreTasks counts what the storing of a task costs, at two
// numbers of tasks: pages that are allocated, bytes that they take, and writes. The file
// is a tree, so only its depth may show.
func TestBoltWritesNoMorePagesWithMoreTasks(t *testing.T) {
	b, err := OpenBolt(filepath.Join(t.TempDir(), "state.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.db.NoSync = true // the disk is not what is measured

	const sample = 200
	stored := 0
	put := func(n int) {
		t.Helper()
		for range n {
			stored++
			err := b.PutTask(Task{ID: "t_" + rand.Text(), Doc: make([]byte, 600), Expires: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func() (bytes, writes float64) {
		before := b.db.Stats()
		put(sample)
		after := b.db.Stats()
		tx := after.TxStats.Sub(&before.TxStats)
		return float64(tx.GetPageAlloc()) / sample, float64(tx.GetWrite()) / sample
	}

	put(500)
	fewBytes, fewWrites := count()
	put(8*500 - stored)
	manyBytes, manyWrites := count()
	t.Logf("a task takes %.0f bytes in %.1f writes, with eight times as many tasks %.0f in %.1f", fewBytes, fewWrites, manyBytes, manyWrites)
	if manyBytes > 1.5*fewBytes || manyWrites > 1.5*fewWrites {
		t.Errorf("storing a task takes %.0f bytes in %.1f writes with 500 tasks, and %.0f in %.1f with 4000; want no more than the depth of a tree adds",
			fewBytes, fewWrites, manyBytes, manyWrites)
	}
}
