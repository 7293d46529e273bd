package identity

import (
	"slices"
	"testing"
	"time"
)

// newListRegistry returns a registry with n tasks, of which several have one time of
// creation.
func newListRegistry(t *testing.T, n int) *Registry {
	t.Helper()
	r := NewRegistry(Config{})
	t.Cleanup(r.Close)
	for i := range n {
		createAt(t, r, time.Now().Add(time.Duration(i/3)*time.Second))
	}
	return r
}

func createAt(t *testing.T, r *Registry, at time.Time) *Task {
	t.Helper()
	task, _, err := r.Create(Spec{Agent: "a", Sponsor: "s", Purpose: "p", TTL: "1h", Scope: []ScopeEntry{{Adapter: "x", Actions: []string{"y"}}}}, at)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func listIDs(t *testing.T, r *Registry, q ListQuery) (ids []string, next string) {
	t.Helper()
	tasks, next, err := r.List(q)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		ids = append(ids, task.ID())
	}
	return ids, next
}

func TestPagesHoldEveryTaskOnce(t *testing.T) {
	const n = 50
	r := newListRegistry(t, n)
	all, next := listIDs(t, r, ListQuery{})
	if len(all) != n || next != "" {
		t.Fatalf("List returned %d tasks and the place %q, want %d and none", len(all), next, n)
	}

	for _, limit := range []int{1, 7, n - 1, n, n + 1} {
		var paged []string
		q := ListQuery{Limit: limit}
		for {
			ids, next := listIDs(t, r, q)
			if len(ids) > limit {
				t.Fatalf("a page has %d tasks, want at most %d", len(ids), limit)
			}
			paged = append(paged, ids...)
			if next == "" {
				break
			}
			q.After = next
		}
		if !slices.Equal(paged, all) {
			t.Errorf("pages of %d hold %d tasks, want the list of %d in its order", limit, len(paged), n)
		}
	}
}

// TestPagesGoOnWhileTasksComeAndGo forgets the last task of a page and creates another
// before the next page is asked for.
func TestPagesGoOnWhileTasksComeAndGo(t *testing.T) {
	r := newListRegistry(t, 20)
	all, _ := listIDs(t, r, ListQuery{})
	first, next := listIDs(t, r, ListQuery{Limit: 8})
	task, _ := r.End(first[7], "done")
	r.Forget(task)
	createAt(t, r, time.Now().Add(time.Hour))

	rest, next := listIDs(t, r, ListQuery{After: next})
	if !slices.Equal(append(first, rest...), all) || next != "" {
		t.Errorf("the second page has %d tasks and the place %q, want the %d that follow and none", len(rest), next, 12)
	}
}

func TestListsHoldWhatTheyInclude(t *testing.T) {
	r := newListRegistry(t, 10)
	all, _ := listIDs(t, r, ListQuery{})
	r.End(all[4], "done")
	r.End(all[9], "done")
	ended := func(task *Task) bool { return task.Active() != nil }

	ids, next := listIDs(t, r, ListQuery{Include: ended, Limit: 1})
	if !slices.Equal(ids, []string{all[4]}) || next == "" {
		t.Errorf("the first page of ended tasks is %v with the place %q, want %s and a place", ids, next, all[4])
	}
	ids, next = listIDs(t, r, ListQuery{Include: ended, Limit: 1, After: next})
	if !slices.Equal(ids, []string{all[9]}) || next != "" {
		t.Errorf("the second page of ended tasks is %v with the place %q, want %s and none", ids, next, all[9])
	}
}

func TestListRefusesAnUnknownPlace(t *testing.T) {
	r := newListRegistry(t, 1)
	for _, after := range []string{"x", "1", ".t", "1e3.t", "99999999999999999999.t"} {
		if _, _, err := r.List(ListQuery{After: after}); err == nil {
			t.Errorf("List after %q succeeds, want an error", after)
		}
	}
}
