package proxy

import (
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// TestI10ConcurrentStreamsAreBounded: the bound is announced, one stream more is
// reset and the others are answered; a stream that has ended makes room.
func TestI10ConcurrentStreamsAreBounded(t *testing.T) {
	const most = 4
	origin := newRecorder(t)
	asked, answer := make(chan struct{}, 2*most), make(chan struct{})
	origin.troubles = map[string]func(net.Conn){"/page/held": func(c net.Conn) {
		asked <- struct{}{}
		<-answer
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}}
	h := openOver(t, origin, wire.Config{MaxStreams: most})
	f := h.frames(t)
	defer f.conn.Close()
	announced := uint32(0)
	f.saw = func(frame http2.Frame) {
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			announced, _ = s.Value(http2.SettingMaxConcurrentStreams)
		}
	}
	ask := func(id uint32) {
		fields := []pair{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/page/held"}}
		if err := f.request(id, fields, nil); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(id uint32) got {
		f.until(func() bool { return f.answers[id] != nil && f.answers[id].close })
		if f.answers[id] == nil {
			return got{}
		}
		return *f.answers[id]
	}
	for n := range uint32(most) {
		ask(2*n + 1)
	}
	for range most {
		within(t, "a request at the application", asked)
	}
	ask(2*most + 1)
	if g := answered(2*most + 1); g.status != 0 || f.gone {
		t.Errorf("stream %d of %d: %+v", most+1, most, g)
	}
	if announced != most {
		t.Errorf("%d streams are announced, want %d", announced, most)
	}
	close(answer)
	for n := range uint32(most) {
		if g := answered(2*n + 1); g.status != 200 || g.body != "ok" {
			t.Errorf("stream %d: %+v", n+1, g)
		}
	}
	ask(2*most + 3)
	if g := answered(2*most + 3); g.status != 200 {
		t.Errorf("a stream once there is room: %+v", g)
	}
}
