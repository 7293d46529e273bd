package proxy

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// memorySink is a sink that keeps the records that it gets.
type memorySink struct {
	mu    sync.Mutex
	lines []string
}

func (s *memorySink) Deliver(_ context.Context, lines [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.lines = append(s.lines, string(l))
	}
	return nil
}

// TestI1SinkHasAllRecordsWhenServerIsClosed checks that the sink got records of
// every kind that a task with one request has, without a secret.
func TestI1SinkHasAllRecordsWhenServerIsClosed(t *testing.T) {
	sink := &memorySink{}
	s := startServer(t, t.TempDir(), loadLegacyRules(t, newLegacyApp(t)), func(o *Options) {
		o.Sinks = map[string]journal.Sink{"siem": sink}
	})
	agent, task := s.newAgent(t, pagesSpec)
	sendAsAlice(t, agent, "GET", "/page/1", "")
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	s.shutDown(t)

	records := strings.Join(sink.lines, "\n")
	for _, kind := range []string{"start", "task", "alert", "lease", "login", "intent", "outcome", "logout", "stop"} {
		if !strings.Contains(records, `"kind":"`+kind+`"`) {
			t.Errorf("the sink has no record of kind %s", kind)
		}
	}
	if strings.Contains(records, "canary") {
		t.Error("I1: the sink got a secret")
	}
}
