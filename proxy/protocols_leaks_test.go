package proxy

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestClosedTunnelsFreeTheirMemory opens and closes many tunnels and compares
// the heap before and after.
func TestClosedTunnelsFreeTheirMemory(t *testing.T) {
	const (
		tunnels  = 100
		maxBytes = 4 << 10 // for each closed tunnel
	)
	handler := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }
	testAllProtocols(t, handler, func(p *protocolTest) {
		useTunnels := func(n int) {
			for range n {
				resp, err := p.agent.Get("https://example.com/page")
				if err != nil {
					p.t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				p.agent.CloseIdleConnections()
			}
		}

		useTunnels(20) // so that caches and pools are filled
		before, goroutines := measureHeap(p.t, runtime.NumGoroutine()+8)
		useTunnels(tunnels)
		after, _ := measureHeap(p.t, goroutines+8)
		if each := (after - before) / tunnels; each > maxBytes {
			p.t.Errorf("each closed tunnel left %d bytes, want at most %d", each, maxBytes)
		}
	})
}

// measureHeap waits until there are at most maxGoroutines and returns the bytes
// in use and the number of goroutines.
func measureHeap(t *testing.T, maxGoroutines int) (heap int64, goroutines int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > maxGoroutines; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are running, want at most %d", runtime.NumGoroutine(), maxGoroutines)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}

// TestClosedServerLeavesNoGoroutine ends a task with open streams, then closes
// the server.
func TestClosedServerLeavesNoGoroutine(t *testing.T) {
	for _, protocol := range []string{"h1", "h2"} {
		before := goleak.IgnoreCurrent()
		t.Run(protocol+" to "+protocol, func(t *testing.T) {
			p := newProtocolTest(t, protocol, protocol, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}, protocolOptions{})
			for range 4 {
				p.get("/stream")
			}
			if _, err := p.EndTask(p.task.ID(), "over"); err != nil {
				t.Fatal(err)
			}
		})
		goleak.VerifyNone(t, before)
	}
}
