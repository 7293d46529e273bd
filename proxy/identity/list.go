package identity

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ListQuery says which tasks to list. The zero value lists all of them.
type ListQuery struct {
	Include func(*Task) bool // nil: every task
	Limit   int              // how many at most; 0: all
	After   string           // what List returned as next; empty: from the newest
}

// List returns tasks, newest first. next is not empty if more follow: a query with it
// lists them. It names a place in time, so it stays good if tasks are created or
// forgotten.
func (r *Registry) List(q ListQuery) (tasks []*Task, next string, err error) {
	sorted := r.newestFirst()
	if q.After != "" {
		created, id, err := parsePlace(q.After)
		if err != nil {
			return nil, "", err
		}
		first, _ := slices.BinarySearchFunc(sorted, struct{}{}, func(t *Task, _ struct{}) int {
			if compareNewestFirst(t.created, t.ID(), created, id) <= 0 {
				return -1 // at the place or before it
			}
			return 1
		})
		sorted = sorted[first:]
	}

	for _, t := range sorted {
		if q.Include != nil && !q.Include(t) {
			continue
		}
		if q.Limit > 0 && len(tasks) == q.Limit {
			last := tasks[q.Limit-1]
			return tasks, strconv.FormatInt(last.created.UnixNano(), 10) + "." + last.ID(), nil
		}
		tasks = append(tasks, t)
	}
	return tasks, "", nil
}

// newestFirst returns every task in the order of List. The caller must not change it: it
// is kept for the next page, until a task is added or forgotten.
func (r *Registry) newestFirst() []*Task {
	r.mu.RLock()
	sorted, changes := r.sorted, r.changes
	if sorted != nil {
		r.mu.RUnlock()
		return sorted
	}
	sorted = make([]*Task, 0, len(r.byID))
	for _, t := range r.byID {
		sorted = append(sorted, t)
	}
	r.mu.RUnlock()

	slices.SortFunc(sorted, func(a, b *Task) int { return compareNewestFirst(a.created, a.ID(), b.created, b.ID()) })

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == changes {
		r.sorted = sorted
	}
	return sorted
}

func compareNewestFirst(created time.Time, id string, otherCreated time.Time, otherID string) int {
	return cmp.Or(otherCreated.Compare(created), strings.Compare(id, otherID))
}

// parsePlace reads what List returns as next.
func parsePlace(s string) (created time.Time, id string, err error) {
	nanos, id, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(nanos, 10, 64)
	if !ok || err != nil {
		return created, "", fmt.Errorf("after=%q is not a place in the list of tasks", s)
	}
	return time.Unix(0, n), id, nil
}
