package proxy

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// floodRequest are the fields of a request that carries a borrowed cookie.
var floodRequest = append(getPath("/page/flood"), h2Field{"cookie", "sid=" + borrowedMark})

// floods are agents that write many frames, until a write fails.
var floods = []struct {
	name       string
	frames     int  // at most
	mustEnd    bool // the server must end the connection, as a head is bounded
	writeFrame func(f *frameAgent, n int) error
}{
	{"requests that are reset at once (CVE-2023-44487)", 4_000, false, func(f *frameAgent, n int) error {
		stream := uint32(2*n + 1)
		if err := f.writeRequest(stream, floodRequest, nil); err != nil {
			return err
		}
		return f.WriteRSTStream(stream, http2.ErrCodeCancel)
	}},
	{"an endless header block (CVE-2024-27316)", 20_000, true, func(f *frameAgent, n int) error {
		if n == 0 {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(floodRequest)})
		}
		return f.WriteContinuation(1, false, f.encode([]h2Field{{"x-name", strings.Repeat("y", 8<<10)}}))
	}},
	{"pings", 20_000, false, func(f *frameAgent, n int) error { return f.WritePing(false, [8]byte{byte(n)}) }},
	{"settings that change nothing", 20_000, false, func(f *frameAgent, _ int) error { return f.WriteSettings() }},
	{"window updates of one byte", 20_000, false, func(f *frameAgent, _ int) error { return f.WriteWindowUpdate(0, 1) }},
	{"empty data (CVE-2019-9518)", 20_000, false, func(f *frameAgent, n int) error {
		if n > 0 {
			return f.WriteData(1, false, nil)
		}
		post := append([]h2Field{{":method", "POST"}}, floodRequest[1:]...)
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: f.encode(post)})
	}},
}

// TestI10Floods checks that other connections and tasks are served during and
// after a flood, and that no goroutine is left. The agent reads the answers, or
// not, as servers have failed at both.
func TestI10Floods(t *testing.T) {
	h := startHostileServer(t, wire.Config{BodyStall: time.Second, IdleTimeout: 5 * time.Second})
	other := h.withNewTask(t)
	other.checkWorks(t)
	h.checkWorks(t)
	goroutines := runtime.NumGoroutine()

	for _, c := range floods {
		for _, reads := range []bool{true, false} {
			name := c.name + ", answers not read"
			if reads {
				name = c.name + ", answers read"
			}
			t.Run(name, func(t *testing.T) {
				f := h.newFrameAgent(t)
				_ = f.conn.SetDeadline(time.Now().Add(20 * time.Second))
				if reads {
					go io.Copy(io.Discard, f.conn)
				}
				done := make(chan error, 1)
				go func() {
					var err error
					for n := 0; n < c.frames && err == nil; n++ {
						err = c.writeFrame(f, n)
					}
					done <- err
				}()

				for range 3 {
					other.checkWorks(t)
				}
				if err := receive(t, "the end of the flood", done); c.mustEnd && err == nil {
					t.Errorf("all %d frames were written, want the connection to end before", c.frames)
				}
				f.conn.Close()
				h.checkWorks(t)
			})
		}
	}

	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+20; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are running after the floods, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
	if strings.Contains(h.origin.takeReceived().all, borrowedMark) {
		t.Error("I2: a borrowed credential reached the application in a flood")
	}
}
