package state

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrUnavailable is in every error of a [Watched] store that is not an answer like
// ErrHeld: the store cannot be written or read, or does not answer. What was
// asked for may have happened all the same, now or later.
var ErrUnavailable error = unavailableError{}

type unavailableError struct{}

func (unavailableError) Error() string { return "the state store is not available" }

const (
	// defaultBound is how long one operation may take before its caller is told
	// that the store does not answer.
	defaultBound = 3 * time.Second
	// hangingAfter is how long one operation is out before the store counts as
	// not available.
	hangingAfter = 2 * time.Second
	// probeEvery is the pause between attempts to write while the store is not
	// available, and the least age of an answer of [Watched.Check] that is not
	// asked for again.
	probeEvery = time.Second
	// freshFor is how long a write that succeeded vouches for the store.
	freshFor = 5 * time.Second
	// probeID is the task that a probe drops. There is none with that id.
	probeID = "probe"
)

// Watched is a [Store] over another one. It bounds how long a caller waits for an
// operation, knows whether the store can be written, and finds out when it can
// again. Tasks, Leases and Logins, which read everything, are not bounded.
type Watched struct {
	store Store
	bound time.Duration

	mu      sync.Mutex // guards what follows; not held while the store is called
	failure error      // of the newest operation that ended; nil if it was answered
	good    time.Time  // when an operation that writes last succeeded
	out     map[*operation]struct{}
	probe   *time.Timer // not nil while probes are due
	closed  bool

	checkMu sync.Mutex // held by the one caller of Check that probes
	checked time.Time
}

// operation is a call of the store that has not returned.
type operation struct{ began time.Time }

var _ Store = (*Watched)(nil)

// Watch returns a store over s. Close closes both.
func Watch(s Store) *Watched {
	return &Watched{store: s, bound: defaultBound, out: map[*operation]struct{}{}}
}

// Err returns why the store is not available, or nil. It does not block.
func (w *Watched) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err()
}

// err is Err for callers that hold mu.
func (w *Watched) err() error {
	if age := w.oldest(); age > hangingAfter {
		return errNoAnswer(age)
	}
	return w.failure
}

func errNoAnswer(age time.Duration) error {
	return fmt.Errorf("%w: it has not answered for %s", ErrUnavailable, age.Round(100*time.Millisecond))
}

// oldest returns how long the operation that began first is out.
func (w *Watched) oldest() (age time.Duration) {
	for o := range w.out {
		age = max(age, time.Since(o.began))
	}
	return age
}

// Check returns Err, after an attempt to write if no write succeeded in the last
// seconds. It waits at most as long as any operation.
func (w *Watched) Check() error {
	w.checkMu.Lock()
	defer w.checkMu.Unlock()

	w.mu.Lock()
	fresh := time.Since(w.good) < freshFor || time.Since(w.checked) < probeEvery
	w.mu.Unlock()
	if !fresh {
		_ = w.DropTask(probeID)
		w.checked = time.Now()
	}
	return w.Err()
}

// begin notes that an operation begins. It fails at once while another one is out
// for longer than any caller waits, so that callers do not pile up.
func (w *Watched) begin() (*operation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if age := w.oldest(); age > w.bound {
		return nil, errNoAnswer(age)
	}
	o := &operation{time.Now()}
	w.out[o] = struct{}{}
	return o, nil
}

// end notes how an operation ended.
func (w *Watched) end(o *operation, writes bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	delete(w.out, o)
	switch {
	case errors.Is(err, ErrUnavailable):
		w.failure = err
		w.probeSoon()
	case writes:
		w.failure = nil
		w.good = time.Now()
	}
}

// probeSoon makes sure that a write is tried soon, and again until one succeeds.
// Callers hold mu.
func (w *Watched) probeSoon() {
	if w.probe != nil || w.closed {
		return
	}
	w.probe = time.AfterFunc(probeEvery, func() {
		w.mu.Lock()
		w.probe = nil
		w.mu.Unlock()
		_ = w.DropTask(probeID)
	})
}

// asUnavailable returns err as a caller of a Watched store sees it.
func asUnavailable(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrHeld), errors.Is(err, ErrStale), errors.Is(err, ErrNotFound), errors.Is(err, ErrClosed):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// await runs call and returns what it returns, or an error once the caller has
// waited for the bound. The call goes on then.
func await[T any](w *Watched, writes bool, call func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	o, err := w.begin()
	if err != nil {
		return none, err
	}

	answered := make(chan answer, 1)
	go func() {
		v, err := call()
		err = asUnavailable(err)
		w.end(o, writes, err)
		answered <- answer{v, err}
	}()

	timer := time.NewTimer(w.bound)
	defer timer.Stop()
	select {
	case a := <-answered:
		return a.v, a.err
	case <-timer.C:
		return none, errNoAnswer(w.bound)
	}
}

func (w *Watched) write(call func() error) error {
	_, err := await(w, true, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// PutTask implements [Store].
func (w *Watched) PutTask(t Task) error { return w.write(func() error { return w.store.PutTask(t) }) }

// Tasks implements [Store].
func (w *Watched) Tasks() ([]Task, error) { return w.store.Tasks() }

// DropTask implements [Store].
func (w *Watched) DropTask(ids ...string) error {
	return w.write(func() error { return w.store.DropTask(ids...) })
}

// AcquireLease implements [Store].
func (w *Watched) AcquireLease(adapter, account, task string, until time.Time) (uint64, error) {
	return await(w, true, func() (uint64, error) { return w.store.AcquireLease(adapter, account, task, until) })
}

// RenewLease implements [Store].
func (w *Watched) RenewLease(adapter, account string, fence uint64, until time.Time) error {
	return w.write(func() error { return w.store.RenewLease(adapter, account, fence, until) })
}

// ReleaseLease implements [Store].
func (w *Watched) ReleaseLease(adapter, account string, fence uint64) error {
	return w.write(func() error { return w.store.ReleaseLease(adapter, account, fence) })
}

// Leases implements [Store].
func (w *Watched) Leases() ([]Lease, error) { return w.store.Leases() }

// PutSession implements [Store].
func (w *Watched) PutSession(adapter, account string, fence uint64, sealed []byte) error {
	return w.write(func() error { return w.store.PutSession(adapter, account, fence, sealed) })
}

// Session implements [Store].
func (w *Watched) Session(adapter, account string) ([]byte, error) {
	return await(w, false, func() ([]byte, error) { return w.store.Session(adapter, account) })
}

// DropSession implements [Store].
func (w *Watched) DropSession(adapter, account string, fence uint64) error {
	return w.write(func() error { return w.store.DropSession(adapter, account, fence) })
}

// Quarantine implements [Store].
func (w *Watched) Quarantine(adapter, account, why string) error {
	return w.write(func() error { return w.store.Quarantine(adapter, account, why) })
}

// Quarantined implements [Store].
func (w *Watched) Quarantined() ([]Quarantine, error) {
	return await(w, false, w.store.Quarantined)
}

// LiftQuarantine implements [Store].
func (w *Watched) LiftQuarantine(adapter, account string) error {
	return w.write(func() error { return w.store.LiftQuarantine(adapter, account) })
}

// FirstSight implements [Store].
func (w *Watched) FirstSight(key string) (bool, error) {
	return await(w, false, func() (bool, error) { return w.store.FirstSight(key) })
}

// PutLogins implements [Store].
func (w *Watched) PutLogins(adapter, account string, doc []byte) error {
	return w.write(func() error { return w.store.PutLogins(adapter, account, doc) })
}

// Logins implements [Store].
func (w *Watched) Logins(visit func(adapter, account string, doc []byte)) error {
	return w.store.Logins(visit)
}

// ReserveStep implements [Store]. A step that it does not return in time stays
// reserved.
func (w *Watched) ReserveStep(key string, first, last int64) (int64, bool, error) {
	type reserved struct {
		step int64
		ok   bool
	}
	r, err := await(w, true, func() (reserved, error) {
		step, ok, err := w.store.ReserveStep(key, first, last)
		return reserved{step, ok}, err
	})
	return r.step, r.ok, err
}

// Close implements [Store]. It waits at most as long as any operation.
func (w *Watched) Close() error {
	w.mu.Lock()
	w.closed = true
	if w.probe != nil {
		w.probe.Stop()
	}
	w.mu.Unlock()

	return w.write(w.store.Close)
}
