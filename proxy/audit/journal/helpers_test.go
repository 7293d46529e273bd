package journal

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// childEnv holds the directory of a log if the test binary is to write that log
// until it is killed.
const childEnv = "BYLINE_AUDIT_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		audittest.RemoveC2SP()
		os.Exit(code)
	}))
}

// openLog opens a log that is closed at the end of the test.
func openLog(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg, audittest.Key, audittest.Instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// mustClose closes a log and fails the test if that fails.
func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// mustWait waits until all tickets are durable.
func mustWait(t testing.TB, tickets ...Ticket) {
	t.Helper()
	for _, ticket := range tickets {
		if err := ticket.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// writeIntents appends n intents, each after the one before is durable, and
// returns their IDs.
func writeIntents(t *testing.T, l *Log, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ticket := l.Append(audittest.Intent(i))
		mustWait(t, ticket)
		ids = append(ids, ticket.ID())
	}
	return ids
}

// waitUntil waits up to ten seconds until condition is true.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for range 1000 {
		if condition() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: did not come within 10 s", what)
}

// hasAlert reports whether an alert with that code is among the newest records.
func hasAlert(t *testing.T, dir, code string) bool {
	t.Helper()
	for r, err := range audit.Tail(t.Context(), dir, 5000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == "alert" && r.Code == code {
			return true
		}
	}
	return false
}
