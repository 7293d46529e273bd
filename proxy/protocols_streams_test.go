package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// zeros is a body without an end.
type zeros struct{ n *atomic.Int64 }

func (z zeros) Read(p []byte) (int, error) {
	clear(p)
	z.n.Add(int64(len(p)))
	return len(p), nil
}

func TestEventsComeAsTheyAreSent(t *testing.T) {
	next := make(chan struct{})
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 5 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}, func(w *wires) {
		lines := bufio.NewReader(w.get("/events").Body)
		for i := range 5 { // the next is sent only once this one is here
			line, err := lines.ReadString('\n')
			if err != nil || line != fmt.Sprintf("data: %d\n", i) {
				w.t.Fatalf("%q %v", line, err)
			}
			_, _ = lines.ReadString('\n')
			next <- struct{}{}
		}
		if _, err := lines.ReadString('\n'); err != io.EOF {
			w.t.Errorf("the stream ends with %v", err)
		}
	})
}

// TestALongPollWaits: nothing moves for longer than the wire looks after a quiet
// agent, twice on one connection.
func TestALongPollWaits(t *testing.T) {
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(500 * time.Millisecond):
			fmt.Fprint(w, "news")
		case <-r.Context().Done():
			t.Error("the poll was broken off")
		}
	}, func(w *wires) {
		for range 2 {
			if b, err := io.ReadAll(w.get("/poll").Body); string(b) != "news" || err != nil {
				w.t.Errorf("%q %v", b, err)
			}
		}
		if n := w.conns.Load(); n > 2 { // the login's own, and one
			w.t.Errorf("%d connections to the SaaS", n)
		}
	})
}

// stands waits until n rests, and gives it.
func stands(t *testing.T, n *atomic.Int64) int64 {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		was := n.Load()
		time.Sleep(300 * time.Millisecond)
		if was > 0 && n.Load() == was {
			return was
		}
	}
	t.Fatal("the sender is never held up")
	return 0
}

// inFlight is more than all buffers on the way hold together. Most of it is the
// kernel's, which lets a socket's grow to tens of megabytes while it is read fast.
const inFlight = 96 << 20

func TestASlowReaderHoldsTheSenderUp(t *testing.T) {
	var sent atomic.Int64
	taken := make(chan struct{})
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/down":
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = io.CopyN(w, zeros{&sent}, 1<<30)
		case "/up":
			<-taken
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, " ", err)
		default:
			fmt.Fprint(w, "quick")
		}
	}, func(w *wires) {
		sent.Store(0)
		resp := w.get("/down")
		held := stands(w.t, &sent)
		if held > inFlight {
			w.t.Errorf("down: %d MiB were sent to an agent that reads nothing", held>>20)
		}
		if b, err := io.ReadAll(w.get("/quick").Body); string(b) != "quick" || err != nil {
			w.t.Errorf("beside it: %q %v", b, err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, held+1); err != nil {
			w.t.Errorf("down: it does not go on: %v", err)
		}
		resp.Body.Close()

		sent.Store(0)
		const size = 64 << 20
		r := w.request(http.MethodPost, "/up")
		r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{&sent}, size)), size
		answer := make(chan string, 1)
		go func() {
			b, err := io.ReadAll(w.do(r).Body)
			answer <- fmt.Sprint(string(b), " ", err)
		}()
		if held := stands(w.t, &sent); held >= size {
			w.t.Error("up: all was sent to a SaaS that reads nothing")
		}
		if b, err := io.ReadAll(w.get("/quick").Body); string(b) != "quick" || err != nil {
			w.t.Errorf("beside it: %q %v", b, err)
		}
		taken <- struct{}{}
		if got := within(w.t, "the upload", answer); got != fmt.Sprint(size, " <nil> <nil>") {
			w.t.Errorf("up: %s", got)
		}
	})
}

// TestStalledStreamsDoNotHoldUpTheOthers: more bytes than one connection's window
// would hold lie unread, in both directions.
func TestStalledStreamsDoNotHoldUpTheOthers(t *testing.T) {
	if raced {
		t.Skip("fills windows, which the race detector makes slow")
	}
	var sent atomic.Int64
	let := make(chan struct{})
	overWires(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/down":
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = io.CopyN(w, zeros{&sent}, 1<<30)
		case "/up":
			<-let
		default:
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}
	}, func(w *wires) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		sent.Store(0)
		for range 8 {
			w.do(w.request(http.MethodGet, "/down").WithContext(ctx))
			go func() {
				r := w.request(http.MethodPost, "/up").WithContext(ctx)
				r.Body = io.NopCloser(zeros{&sent})
				if resp, err := w.agent.Do(r); err == nil {
					resp.Body.Close()
				}
			}()
		}
		stands(w.t, &sent)
		defer func() {
			for range 8 {
				let <- struct{}{}
			}
		}()
		r := w.request(http.MethodPost, "/quick")
		r.Body = io.NopCloser(io.LimitReader(zeros{new(atomic.Int64)}, 3<<20))
		if b, err := io.ReadAll(w.do(r).Body); string(b) != fmt.Sprint(3<<20) || err != nil {
			w.t.Errorf("%q %v", b, err)
		}
	})
}
