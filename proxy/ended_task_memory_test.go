package proxy

import (
	"crypto/tls"
	"net/http"
	"runtime"
	"testing"
)

// TestEndedTaskKeepsItsViewAlone ends tasks that have sent a request with borrowed
// credentials, and compares the heap before and after.
func TestEndedTaskKeepsItsViewAlone(t *testing.T) {
	const (
		tasks    = 150
		maxBytes = 6 << 10 // for each ended task: its names, scope and token hash, and what the log counts of it
	)
	app := newLegacyApp(t)
	s := startLegacyServer(t, app, t.TempDir())
	use := func(n int) {
		for range n {
			task, token, err := s.CreateTask(t.Context(), pagesSpec)
			if err != nil {
				t.Fatal(err)
			}
			agent := &http.Client{Transport: &http.Transport{ // newAgent would keep it until the test ends
				Proxy:           http.ProxyURL(s.proxyURL(task, token)),
				TLSClientConfig: &tls.Config{RootCAs: s.roots},
			}}
			if status, body, _ := sendAsAlice(t, agent, "GET", "/page/1", ""); status != http.StatusOK {
				t.Fatalf("GET /page/1: status %d, want 200: %s", status, body)
			}
			agent.CloseIdleConnections()
			if _, err := s.EndTask(task.ID(), "done"); err != nil {
				t.Fatal(err)
			}
		}
	}

	use(20)
	before, goroutines := measureHeap(t, runtime.NumGoroutine()+8)
	use(tasks)
	after, _ := measureHeap(t, goroutines+8)
	each := (after - before) / tasks
	t.Logf("each ended task keeps %d bytes", each)
	if each > maxBytes {
		t.Errorf("each ended task keeps %d bytes, want at most %d", each, maxBytes)
	}
}
