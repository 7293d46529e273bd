package protocols

import (
	"context"
	"testing"
	"time"
)

// timeout bounds every wait of this package's tests.
const timeout = 30 * time.Second

// receive returns the next value of ch, and fails the test if none comes in
// time. what describes it.
func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(timeout):
		t.Fatalf("waited %v for %s", timeout, what)
		panic("unreachable")
	}
}

// timeoutContext returns a context that ends with the test or after timeout.
func timeoutContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(cancel)
	return ctx
}
