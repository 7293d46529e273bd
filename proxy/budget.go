package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Errors of budget.take. Both mean that the request is refused with OverBudget.
var (
	errBudgetWait    = errors.New("no memory became free in time")
	errBudgetWaiters = errors.New("too many requests of the task, or of all tasks, wait for memory already")
)

const (
	// budgetWait bounds how long a request waits for memory.
	budgetWait = 10 * time.Second
	// assuredBytes is what a request takes that reads no long body before the decision.
	assuredBytes = 1 << 20
	// maxBudgetWaiters bounds how many requests of a task wait for memory. They hold
	// their heads meanwhile, and the start of a body that HTTP/2 brought with it.
	maxBudgetWaiters = 256
	// maxAllBudgetWaiters bounds how many requests of all tasks wait, except for
	// assuredWaiters of each task.
	maxAllBudgetWaiters = 2048
	assuredWaiters      = 16
)

// budget bounds the memory that the requests of all tasks make the server hold.
// An exchange takes all that it may come to hold at once, before it holds it, and
// gives back what it does not need. Nobody who holds something waits for more, except
// WebSockets for a large message, so somebody always gets on. docs/decisions/held-bytes.md says what is counted and why.
//
// Requests of one task wait in the order in which they came. Tasks take turns. A task
// that holds nothing is always given its first bytes, up to assured, so that no number
// of other tasks can starve it.
type budget struct {
	total   int64 // bytes that all tasks together may hold, apart from the assured ones of each task
	perTask int64 // bytes that one task may hold
	assured int64 // bytes that a task which holds nothing gets whatever the others hold
	wait    time.Duration

	mu      sync.Mutex
	held    int64
	waiting []*taskBudget // tasks with waiters, in the order of their turns
	waiters int           // in the queues of all of them
	refused uint64        // calls of take that found nothing free
}

// taskBudget is what one task holds. Its fields are guarded by budget.mu.
type taskBudget struct {
	held  int64
	queue []*budgetWaiter
}

// budgetWaiter is a call of take that waits.
type budgetWaiter struct {
	bytes   int64
	granted chan struct{} // closed with the grant
}

func newBudget(total, perTask int64) *budget {
	return &budget{total: total, perTask: min(perTask, total), assured: assuredBytes, wait: budgetWait}
}

// take takes n bytes for the task, at most perTask. If they are not free it waits until
// they are, at most b.wait. A caller that already holds bytes may wait in vain: others may wait
// for those.
func (b *budget) take(ctx context.Context, t *taskBudget, n int64) error {
	b.mu.Lock()
	if len(b.waiting) == 0 && b.fits(t, n) {
		b.grant(t, n)
		b.mu.Unlock()
		return nil
	}
	if len(t.queue) >= maxBudgetWaiters || b.waiters >= maxAllBudgetWaiters && len(t.queue) >= assuredWaiters {
		b.refused++
		b.mu.Unlock()
		return errBudgetWaiters
	}
	w := b.enqueue(t, n)
	b.wake()
	b.mu.Unlock()

	patience := time.NewTimer(b.wait)
	defer patience.Stop()
	var err error
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-patience.C:
		err = errBudgetWait
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.granted: // at the same moment
		return nil
	default:
	}
	if err == errBudgetWait {
		b.refused++
	}
	b.dequeue(t, w)
	b.wake() // those after it may fit
	return err
}

// giveBack returns n bytes that take took.
func (b *budget) giveBack(t *taskBudget, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.held -= n
	b.held -= n
	if len(b.waiting) > 0 {
		b.wake()
	}
}

// fits reports whether the task may hold n more bytes now; mu is held.
func (b *budget) fits(t *taskBudget, n int64) bool {
	return t.held+n <= b.perTask && (b.held+n <= b.total || b.isAssured(t, n))
}

// isAssured reports whether the task gets n bytes whatever the others hold; mu is held.
func (b *budget) isAssured(t *taskBudget, n int64) bool { return t.held == 0 && n <= b.assured }

// grant notes that the task holds n more bytes; mu is held.
func (b *budget) grant(t *taskBudget, n int64) {
	t.held += n
	b.held += n
}

// enqueue makes a call of take wait; mu is held.
func (b *budget) enqueue(t *taskBudget, n int64) *budgetWaiter {
	w := &budgetWaiter{bytes: n, granted: make(chan struct{})}
	if len(t.queue) == 0 {
		b.waiting = append(b.waiting, t)
	}
	t.queue = append(t.queue, w)
	b.waiters++
	return w
}

// dequeue removes a waiter; mu is held.
func (b *budget) dequeue(t *taskBudget, w *budgetWaiter) {
	i := slices.Index(t.queue, w)
	if i < 0 {
		return
	}
	t.queue = slices.Delete(t.queue, i, i+1)
	b.waiters--
	if len(t.queue) == 0 {
		b.waiting = slices.DeleteFunc(b.waiting, func(other *taskBudget) bool { return other == t })
	}
}

// wake grants what is free to the tasks in turn, one waiter at a time; mu is held.
// A task that has reached its own bound is passed over. One that waits for the
// others to give back keeps its turn, so that large requests are not passed forever
// by small ones.
func (b *budget) wake() {
	for i := 0; i < len(b.waiting); {
		t := b.waiting[i]
		w := t.queue[0]
		if t.held+w.bytes > b.perTask {
			i++
			continue
		}
		if !b.fits(t, w.bytes) {
			b.wakeAssured(b.waiting[i+1:])
			return
		}

		b.grant(t, w.bytes)
		close(w.granted)
		b.dequeue(t, w)
		if len(t.queue) > 0 { // its next waiter comes after the other tasks
			b.waiting = append(slices.Delete(b.waiting, i, i+1), t)
		}
	}
}

// wakeAssured grants the first waiter of each of the tasks for which it is assured; mu
// is held.
func (b *budget) wakeAssured(tasks []*taskBudget) {
	for _, t := range slices.Clone(tasks) {
		w := t.queue[0]
		if !b.isAssured(t, w.bytes) {
			continue
		}
		b.grant(t, w.bytes)
		close(w.granted)
		b.dequeue(t, w)
	}
}
