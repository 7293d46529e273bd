package proxy

import (
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// TestI10LimitOfStreams opens one stream more than the limit, which is announced.
// It is reset, the others are answered, and a stream that has ended makes room.
func TestI10LimitOfStreams(t *testing.T) {
	const limit = 4
	origin := newRecordingOrigin(t)
	arrived, answer := make(chan struct{}, 2*limit), make(chan struct{})
	origin.faults = map[string]func(net.Conn){"/page/held": func(c net.Conn) {
		arrived <- struct{}{}
		<-answer
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}}
	h := startServerFor(t, origin, wire.Config{MaxStreams: limit})

	f := h.newFrameAgent(t)
	defer f.conn.Close()
	announced := uint32(0)
	f.onFrame = func(frame http2.Frame) {
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			announced, _ = s.Value(http2.SettingMaxConcurrentStreams)
		}
	}
	streamID := func(n uint32) uint32 { return 2*n + 1 }
	open := func(n uint32) {
		t.Helper()
		if err := f.writeRequest(streamID(n), getPath("/page/held"), nil); err != nil {
			t.Fatal(err)
		}
	}
	readAnswer := func(n uint32) rawAnswer {
		f.readUntil(f.isAnswered(streamID(n)))
		if a := f.answers[streamID(n)]; a != nil {
			return *a
		}
		return rawAnswer{}
	}

	for n := range uint32(limit) {
		open(n)
	}
	for range limit {
		receive(t, "a request at the application", arrived)
	}
	open(limit)
	if a := readAnswer(limit); a.status != 0 || f.gone {
		t.Errorf("stream %d of at most %d got %+v, connection ended %v; want only a reset", limit+1, limit, a, f.gone)
	}
	if announced != limit {
		t.Errorf("SETTINGS_MAX_CONCURRENT_STREAMS is %d, want %d", announced, limit)
	}

	close(answer)
	for n := range uint32(limit) {
		if a := readAnswer(n); a.status != 200 || a.body != "ok" {
			t.Errorf("stream %d got %+v, want 200 and \"ok\"", n+1, a)
		}
	}
	open(limit + 1)
	if a := readAnswer(limit + 1); a.status != 200 {
		t.Errorf("a stream after the others ended got %+v, want 200", a)
	}
}
