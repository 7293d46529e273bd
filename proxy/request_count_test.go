package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestEveryRequestCarriesItsNumber uses an adapter with a field for the number of
// a request. Each value that arrives is the number and ID of one intent, every
// intent has one, and the agent's own value is removed.
func TestEveryRequestCarriesItsNumber(t *testing.T) {
	const requests = 40
	app := newLegacyApp(t)
	var mu sync.Mutex
	received := map[string]int{} // by value of X-Byline-Count
	counting := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/page/") {
			mu.Lock()
			for _, value := range r.Header.Values("X-Byline-Count") {
				received[value]++
			}
			mu.Unlock()
		}
		app.Config.Handler.ServeHTTP(w, r)
	}))
	defer counting.Close()
	adapter := fmt.Sprintf(legacyAdapter, counting.URL, writeCertificate(t, counting)) + "count: {header: X-Byline-Count}\n"
	s := startServer(t, t.TempDir(), loadRules(t, adapter), nil)

	agent, _ := s.newAgent(t, pagesSpec)
	var senders sync.WaitGroup
	for range requests {
		senders.Go(func() {
			req, err := http.NewRequest(http.MethodGet, "https://example.com/page/1", nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("X-Byline-Count", "999 forged")
			resp, err := agent.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	senders.Wait()
	sendAsAlice(t, agent, "GET", "/page/3", "") // refused, so it has no number

	recorded := map[string]bool{} // expected values
	for _, r := range s.readRecords(t, "") {
		if (r.Kind == "intent") != (r.Count > 0) {
			t.Errorf("a record of kind %s has count %d, want a count for intents only", r.Kind, r.Count)
		}
		if r.Kind == "intent" {
			recorded[fmt.Sprintf("%d %s", r.Count, r.ID)] = true
		}
	}
	if len(recorded) != requests || len(received) != requests {
		t.Errorf("%d intents on record and %d values received, want %d each", len(recorded), len(received), requests)
	}
	for value, n := range received {
		if !recorded[value] || n != 1 {
			t.Errorf("the application received %q %d times, on record %v; want once and on record", value, n, recorded[value])
		}
	}
}
