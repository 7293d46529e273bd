package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// shelf is a sink that keeps what it gets.
type shelf struct {
	mu    sync.Mutex
	lines []string
}

func (s *shelf) Deliver(_ context.Context, lines [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.lines = append(s.lines, string(l))
	}
	return nil
}

// TestASinkHasTheRecordOfAnExchangeWhenTheCorridorCloses, and no secret with it.
func TestASinkHasTheRecordOfAnExchangeWhenTheCorridorCloses(t *testing.T) {
	sink := &shelf{}
	h := openWith(t, t.TempDir(), rulesFor(t, newLegacy(t)), func(o *Options) { o.Sinks = map[string]journal.Sink{"siem": sink} })
	c, task := h.agent(t, reader)
	do(t, c, http.MethodGet, "/page/1", "")
	if _, err := h.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	h.shut(t)
	all := strings.Join(sink.lines, "\n")
	for _, kind := range []string{"start", "task", "alert", "lease", "login", "intent", "outcome", "logout", "stop"} {
		if !strings.Contains(all, `"kind":"`+kind+`"`) {
			t.Errorf("the sink has no %s record", kind)
		}
	}
	if strings.Contains(all, "canary") {
		t.Error("I1: the sink got a secret")
	}
}
