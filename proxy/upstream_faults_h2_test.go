package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/policy"
)

// stream is a request that an application of HTTP/2 got, and the means to answer
// it frame by frame.
type stream struct {
	*http2.Framer
	conn net.Conn
	id   uint32
}

func (s *stream) head(end bool, fields ...string) {
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, EndHeaders: true, EndStream: end, BlockFragment: blockOf(fields...)})
}

// blockOf encodes fields without the dynamic table: each block stands alone.
func blockOf(fields ...string) []byte {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	enc.SetMaxDynamicTableSize(0)
	for i := 0; i < len(fields); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true})
	}
	return b.Bytes()
}

// troubles2 are applications that speak HTTP/2 and do not answer as they should.
var troubles2 = []struct {
	name   string
	does   func(*stream)
	want   verdict
	breaks bool
}{
	{name: "says nothing", does: func(*stream) {}, want: verdict{504, "upstream_unreachable"}},
	{name: "resets the stream", does: func(s *stream) { _ = s.WriteRSTStream(s.id, http2.ErrCodeInternal) }, want: verdict{502, "upstream_unreachable"}},
	{name: "hangs up", does: func(s *stream) { s.conn.Close() }, want: verdict{502, "upstream_unreachable"}},
	{name: "goes away with an error", does: func(s *stream) {
		_ = s.WriteGoAway(s.id, http2.ErrCodeInternal, nil)
		s.conn.Close()
	}, want: verdict{502, "upstream_unreachable"}},
	{name: "speaks HTTP/1.1", does: func(s *stream) { io.WriteString(s.conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }, want: verdict{502, "upstream_unreachable"}},
	{name: "has no status", does: func(s *stream) { s.head(true, "x", "y") }, want: verdict{502, "upstream_unreachable"}},
	{name: "has a line break in a field", does: func(s *stream) { s.head(true, ":status", "200", "x", "a\r\nb: c") }, want: verdict{502, "upstream_unreachable"}},
	{name: "has too many fields", does: func(s *stream) {
		fields := []string{":status", "200"}
		for range 50 {
			fields = append(fields, "x", "y")
		}
		s.head(true, fields...)
	}, want: verdict{502, "upstream_unreachable"}},
	{name: "has a head without an end", does: func(s *stream) {
		_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: blockOf(":status", "200")})
		more := blockOf("x", strings.Repeat("y", 8<<10))
		for n := 0; n < 4000; n++ {
			if s.WriteContinuation(s.id, false, more) != nil {
				return
			}
		}
	}, want: verdict{502, "upstream_unreachable"}},
	{name: "answers a ping within its head", does: func(s *stream) {
		_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: blockOf(":status", "200")})
	}, want: verdict{502, "upstream_unreachable"}},
	{name: "resets in the body", does: func(s *stream) {
		s.head(false, ":status", "200", "content-length", "200000")
		_ = s.WriteData(s.id, false, []byte("ok"))
		_ = s.WriteRSTStream(s.id, http2.ErrCodeInternal)
	}, want: verdict{200, ""}, breaks: true},
	{name: "ends before its length", does: func(s *stream) {
		s.head(false, ":status", "200", "content-length", "200000")
		_ = s.WriteData(s.id, true, []byte("ok"))
	}, want: verdict{200, ""}, breaks: true},
	{name: "goes on beyond its length, which is what the agent gets", does: func(s *stream) {
		s.head(false, ":status", "200", "content-length", "2")
		_ = s.WriteData(s.id, true, []byte("ok and more"))
	}, want: verdict{200, ""}},
	{name: "stops in the body", does: func(s *stream) {
		s.head(false, ":status", "200")
		_ = s.WriteData(s.id, false, []byte("ok"))
	}, want: verdict{200, ""}, breaks: true},
}

// newOrigin2 serves HTTP/2 with prior knowledge; path /page/N is trouble N.
func newOrigin2(t testing.TB) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serve2(conn)
		}
	}()
	return ln.Addr()
}

func serve2(conn net.Conn) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(conn, conn)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	fr.AllowIllegalWrites = true
	_ = fr.WriteSettings()
	for {
		frame, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = fr.WritePing(true, frame.Data)
			}
		case *http2.MetaHeadersFrame:
			answer2(&stream{Framer: fr, conn: conn, id: frame.StreamID}, frame.PseudoValue("path"))
		}
	}
}

func answer2(s *stream, path string) {
	n := -1
	_, _ = fmt.Sscanf(path, "/page/%d", &n)
	switch {
	case path == "/login":
		s.head(true, ":status", "302", "location", "/home", "set-cookie", "sid="+canarySession+"; Path=/")
	case n >= 0 && n < len(troubles2):
		troubles2[n].does(s)
	default:
		s.head(false, ":status", "200")
		_ = s.WriteData(s.id, true, []byte("ok"))
	}
}

// TestI10TroubleUpstreamInHTTP2 is TestI10TroubleUpstream, frame by frame.
func TestI10TroubleUpstreamInHTTP2(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(oddAdapter, newOrigin2(t)), "protocol: h1", "protocol: h2", 1)
	set, err := adapters.Load([]adapters.Source{{Name: "odd.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostileHouse{house: openWith(t, t.TempDir(), Rules{Adapters: set, Policy: p}, func(o *Options) { o.Wire = impatient() })}
	h.proxy = h.newTask(t)
	h.fine(t)
	for i, c := range troubles2 {
		for _, kind := range []string{"tls", "h2"} {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				h.trouble(t, kind, fmt.Sprintf("/page/%d", i), c.want, c.breaks)
				h.fine(t)
			})
		}
	}
}

// TestI10ASlowHeadInHTTP2 drips one header block, its frames or a frame's bytes:
// the time for a head is all it gets, and then an answer.
func TestI10ASlowHeadInHTTP2(t *testing.T) {
	w := impatient()
	w.IdleTimeout = time.Minute
	h := openHostile(t, w)
	for _, c := range []struct {
		name string
		drip func(f *frames, n int) error
		want verdict
	}{
		{"frames without a byte", func(f *frames, n int) error { return f.WriteContinuation(1, false, nil) }, verdict{408, "ambiguous_request"}},
		{"frames with a field", func(f *frames, n int) error {
			return f.WriteContinuation(1, false, []byte{0, 1, 'x', 1, 'y'})
		}, verdict{408, "ambiguous_request"}},
		{"a frame's bytes", func(f *frames, n int) error {
			head := []byte{0, 64, 0, 9, 0, 0, 0, 0, 1} // CONTINUATION of 16 KiB
			_, err := f.conn.Write(append(head, make([]byte, 1<<14)...)[n : n+1])
			return err
		}, verdict{408, "ambiguous_request"}},
		{"nothing more", func(*frames, int) error { return nil }, verdict{408, "ambiguous_request"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := h.settled(t)
			defer f.conn.Close()
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(floodFields)}); err != nil {
				t.Fatal(err)
			}
			go func() {
				for n := 0; c.drip(f, n) == nil && n < 300; n++ {
					time.Sleep(20 * time.Millisecond)
				}
			}()
			f.until(func() bool { return f.answers[1] != nil && f.answers[1].close })
			g := f.answers[1]
			if g == nil || g.status != c.want.status || problemOf(t, g.header, g.body) != c.want.code {
				t.Errorf("%+v, want %v", g, c.want)
			}
			if f.until(func() bool { return false }); !f.gone {
				t.Error("the connection goes on")
			}
		})
	}
	t.Run("a frame of no stream", func(t *testing.T) {
		f := h.settled(t)
		defer f.conn.Close()
		if _, err := f.conn.Write([]byte{0, 0, 8, 6, 0, 0, 0, 0, 0, 1}); err != nil { // one byte of a PING
			t.Fatal(err)
		}
		if f.until(func() bool { return false }); !f.gone {
			t.Error("the connection goes on")
		}
	})
	h.fine(t)
}

// settled is frames once settings were exchanged: nothing is written any more but
// what the test writes.
func (h *hostileHouse) settled(t *testing.T) *frames {
	t.Helper()
	f := h.frames(t)
	theirs, ours := false, false
	f.saw = func(frame http2.Frame) {
		if s, ok := frame.(*http2.SettingsFrame); ok {
			theirs, ours = theirs || !s.IsAck(), ours || s.IsAck()
		}
	}
	f.until(func() bool { return theirs && ours })
	return f
}
