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

// TestClosedTunnelsLeaveNothing: neither memory while the server runs nor a
// goroutine once it has closed.
func TestClosedTunnelsLeaveNothing(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")
	}, func(w *wires) {
		visit := func(times int) {
			for range times {
				resp, err := w.agent.Get("https://example.com/page")
				if err != nil {
					w.t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				w.agent.CloseIdleConnections()
			}
		}
		visit(20)
		before, goroutines := settled(w.t, runtime.NumGoroutine()+8)
		const tunnels = 100
		visit(tunnels)
		after, _ := settled(w.t, goroutines+8)
		if each := (after - before) / tunnels; each > 4<<10 {
			w.t.Errorf("%d bytes are left of each closed tunnel", each)
		}
	})
}

// settled is the heap in use once there are no more than so many goroutines.
func settled(t *testing.T, most int) (heap int64, goroutines int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > most; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, want at most %d", runtime.NumGoroutine(), most)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}

func TestAClosedHouseLeavesNoGoroutine(t *testing.T) {
	for _, pair := range [][2]string{{"h1", "h1"}, {"h2", "h2"}} {
		before := goleak.IgnoreCurrent()
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			w := newWires(t, pair[0], pair[1], func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}, nil)
			for range 4 { // streams under way when the task ends
				w.get("/stream")
			}
			if _, err := w.EndTask(w.task.ID(), "over"); err != nil {
				t.Fatal(err)
			}
		})
		goleak.VerifyNone(t, before)
	}
}
