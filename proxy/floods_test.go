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

// floods are agents that send frames without an end; each stops when a write
// fails or it has sent enough to prove its point.
var floods = []struct {
	name  string
	most  int  // frames
	ends  bool // the connection must: a head is bounded
	frame func(f *frames, n int) error
}{
	{"requests, each reset at once (CVE-2023-44487)", 4_000, false, func(f *frames, n int) error {
		id := uint32(2*n + 1)
		if err := f.request(id, floodFields, nil); err != nil {
			return err
		}
		return f.WriteRSTStream(id, http2.ErrCodeCancel)
	}},
	{"a header block that goes on (CVE-2024-27316)", 20_000, true, func(f *frames, n int) error {
		if n == 0 {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(floodFields)})
		}
		return f.WriteContinuation(1, false, f.encode([]pair{{"x-name", strings.Repeat("y", 8<<10)}}))
	}},
	{"pings that nobody asked for", 20_000, false, func(f *frames, n int) error { return f.WritePing(false, [8]byte{byte(n)}) }},
	{"settings that change nothing", 20_000, false, func(f *frames, _ int) error { return f.WriteSettings() }},
	{"windows, opened byte by byte", 20_000, false, func(f *frames, _ int) error { return f.WriteWindowUpdate(0, 1) }},
	{"empty data (CVE-2019-9518)", 20_000, false, func(f *frames, n int) error {
		if n == 0 {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true,
				BlockFragment: f.encode(append([]pair{{":method", "POST"}}, floodFields[1:]...))})
		}
		return f.WriteData(1, false, nil)
	}},
}

var floodFields = []pair{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/page/flood"}, {"cookie", "sid=" + borrowedMark}}

// TestI10Floods: an agent that floods its connection is served or loses it;
// other tasks go on, and nothing stays behind. The agent reads nothing, or what
// comes, as both have brought servers down.
func TestI10Floods(t *testing.T) {
	h := openHostile(t, wire.Config{BodyStall: time.Second, IdleTimeout: 5 * time.Second})
	other := *h
	other.proxy = h.newTask(t)
	other.fine(t)
	h.fine(t)
	before := runtime.NumGoroutine()
	for _, c := range floods {
		for _, reads := range []bool{true, false} {
			t.Run(c.name+map[bool]string{true: ", answers read", false: ", answers left"}[reads], func(t *testing.T) {
				f := h.frames(t)
				_ = f.conn.SetDeadline(time.Now().Add(20 * time.Second))
				if reads {
					go io.Copy(io.Discard, f.conn)
				}
				sent := make(chan error, 1)
				go func() {
					var err error
					for n := 0; n < c.most && err == nil; n++ {
						err = c.frame(f, n)
					}
					sent <- err
				}()
				for range 3 {
					other.fine(t)
				}
				err := within(t, "the flood's end", sent)
				if c.ends && err == nil {
					t.Error("nothing stopped it")
				}
				f.conn.Close()
				h.fine(t)
			})
		}
	}
	for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+20; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	if _, _, all := h.origin.take(); strings.Contains(all, borrowedMark) {
		t.Error("I2: a flood carried a borrowed credential")
	}
}
