package identity

import (
	"errors"
	"sync"
	"testing"
)

// sourceContract is what testSource needs of one kind of source.
type sourceContract struct {
	open    func(r *Registry) Source
	prove   func(task *Task, token Token) Evidence // evidence that proves the task
	forged  []Evidence                             // of the source's kind, proving no task
	foreign []Evidence                             // of other kinds
}

// testSource tests what every Source guarantees. Call it from the test of each
// kind.
func testSource(t *testing.T, c sourceContract) {
	r := newTestRegistry(t)
	source := c.open(r)
	r.sources = []namedSource{{source, "contract"}}
	task, token := createTask(t, r, triage)
	other, otherToken := createTask(t, r, triage)

	t.Run("evidence proves one task", func(t *testing.T) {
		for want, evidence := range map[*Task]Evidence{task: c.prove(task, token), other: c.prove(other, otherToken)} {
			got, err := source.Identify(t.Context(), evidence)
			if err != nil || got != want {
				t.Errorf("Identify returned %v, %v; want task %s", got, err, want.ID())
			}
		}
	})

	t.Run("forged evidence is refused", func(t *testing.T) {
		for _, e := range c.forged {
			if got, err := source.Identify(t.Context(), e); !errors.Is(err, ErrUnknown) || errors.Is(err, ErrNotMine) || got != nil {
				t.Errorf("%+v: Identify returned %v, %v; want ErrUnknown", e, got, err)
			}
		}
	})

	t.Run("foreign evidence is left to the next source", func(t *testing.T) {
		for _, e := range append([]Evidence{{}}, c.foreign...) {
			if got, err := source.Identify(t.Context(), e); !errors.Is(err, ErrNotMine) || got != nil {
				t.Errorf("%+v: Identify returned %v, %v; want ErrNotMine", e, got, err)
			}
		}
	})

	t.Run("concurrent calls", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					if got, err := source.Identify(t.Context(), c.prove(task, token)); err != nil || got != task {
						t.Errorf("Identify returned %v, %v; want task %s", got, err, task.ID())
					}
				}
			})
		}
		wg.Wait()
	})

	t.Run("an ended task proves nothing", func(t *testing.T) {
		r.End(task.ID(), "done")
		if _, _, err := r.Authenticate(t.Context(), c.prove(task, token)); !errors.Is(err, ErrEnded) {
			t.Errorf("Authenticate returned %v, want ErrEnded", err)
		}
	})
}
