package testenv

import (
	"testing"
	"time"
)

// timeout bounds every wait of this package but that of [Env.RunToEnd].
const timeout = 60 * time.Second

const pollInterval = 10 * time.Millisecond

// WaitUntil waits until condition returns true, and fails the test if that
// takes too long. what describes the condition.
func WaitUntil(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !condition(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s", timeout, what)
		}
	}
}

// WaitUntil is like the function [WaitUntil], but prints the end of the
// server's log when it fails.
func (e *Env) WaitUntil(what string, condition func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(timeout); !condition(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			e.t.Fatalf("waited %v until %s; the server's log ends:\n%s", timeout, what, lastBytes(e.ServerLog()))
		}
	}
}
