package audit_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		audittest.RemoveC2SP()
		os.Exit(code)
	}))
}

func openLog(t testing.TB, cfg journal.Config) *journal.Log {
	t.Helper()
	l, err := journal.Open(cfg, audittest.Key, audittest.Instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustWait(t testing.TB, tickets ...journal.Ticket) {
	t.Helper()
	for _, k := range tickets {
		if err := k.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
