package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// zeros is an endless body. It counts the bytes that were read of it.
type zeros struct{ read *atomic.Int64 }

func (z zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read.Add(int64(len(p)))
	return len(p), nil
}

// waitForStall waits until n has not changed for a while.
func waitForStall(t *testing.T, n *atomic.Int64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		before := n.Load()
		time.Sleep(300 * time.Millisecond)
		if before > 0 && n.Load() == before {
			return
		}
	}
	t.Fatalf("the senders were not held up within 20 seconds: they have sent %d bytes", n.Load())
}

// TestLongPollWaits sends two requests whose answers come after a pause, over
// the same connection.
func TestLongPollWaits(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(500 * time.Millisecond):
			fmt.Fprint(w, "news")
		case <-r.Context().Done():
			t.Error("the poll was canceled before its answer")
		}
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		for range 2 {
			p.checkBody(p.get("/poll"), "news")
		}
		if n := p.appConns.Load(); n > 2 { // one may be the login's
			p.t.Errorf("%d connections to the application, want at most 2", n)
		}
	})
}

// TestStalledStreamsDoNotHoldUpOthers has answers and requests that are not
// read, with more bytes than the window of a connection. Another request passes.
func TestStalledStreamsDoNotHoldUpOthers(t *testing.T) {
	if raced {
		t.Skip("fills windows, which the race detector makes slow")
	}
	const stalled = 8 // in each direction
	var sent atomic.Int64
	release := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/down":
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = io.CopyN(w, zeros{&sent}, 1<<30)
		case "/up":
			<-release
		default:
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		sent.Store(0)
		for range stalled {
			p.send(p.newRequest(http.MethodGet, "/down", nil).WithContext(ctx))
			go func() {
				r := p.newRequest(http.MethodPost, "/up", zeros{&sent}).WithContext(ctx)
				if resp, err := p.agent.Do(r); err == nil {
					resp.Body.Close()
				}
			}()
		}
		waitForStall(p.t, &sent)
		defer func() {
			for range stalled {
				release <- struct{}{}
			}
		}()

		const size = 3 << 20
		resp := p.send(p.newRequest(http.MethodPost, "/quick", io.LimitReader(zeros{new(atomic.Int64)}, size)))
		p.checkBody(resp, fmt.Sprint(size))
	})
}
