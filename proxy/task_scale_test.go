package proxy

import (
	"runtime"
	"sync"
	"testing"
)

// TestTaskCreationCostsTheSameWithMoreTasks counts the allocations of creating a task and
// ending it, at two numbers of living tasks.
func TestTaskCreationCostsTheSameWithMoreTasks(t *testing.T) {
	const few, many, sample = 50, 1000, 50
	s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
	create := func(n int) {
		var creators sync.WaitGroup
		for range n {
			creators.Go(func() {
				if _, _, err := s.CreateTask(t.Context(), pagesSpec); err != nil {
					t.Error(err)
				}
			})
		}
		creators.Wait()
	}
	count := func() (objects, bytes int64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range sample {
			task, _, err := s.CreateTask(t.Context(), pagesSpec)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.EndTask(task.ID(), "done"); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return int64(after.Mallocs-before.Mallocs) / sample, int64(after.TotalAlloc-before.TotalAlloc) / sample
	}

	create(few)
	fewObjects, fewBytes := count()
	create(many)
	manyObjects, manyBytes := count()
	t.Logf("with %d tasks %d objects of %d bytes, with %d tasks %d of %d", few, fewObjects, fewBytes, few+many, manyObjects, manyBytes)
	if manyObjects > 2*fewObjects || manyBytes > 2*fewBytes {
		t.Errorf("creating and ending a task takes %d objects of %d bytes with %d tasks, and %d of %d with %d; want about the same",
			fewObjects, fewBytes, few, manyObjects, manyBytes, few+many)
	}
}
