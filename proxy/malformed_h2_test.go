package proxy

import (
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// goodFields are a request with nothing wrong.
var goodFields = []pair{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/page/1"}}

func with(fields []pair, more ...pair) []pair { return append(append([]pair(nil), fields...), more...) }

// malformed2 is what is malformed in HTTP/2, as a head or as a frame. What can be
// answered is; want is empty where the frames of the connection are at fault.
var malformed2 = []struct {
	name string
	send func(f *frames) error
	want verdict
}{
	{"a name in upper case", asks(with(goodFields, pair{"X-Name", "y"})), verdict{400, "ambiguous_request"}},
	{"no :path", asks(goodFields[:3]), verdict{400, "ambiguous_request"}},
	{"no :method", asks(goodFields[1:]), verdict{400, "ambiguous_request"}},
	{"no fields at all", asks(nil), verdict{400, "ambiguous_request"}},
	{":path twice", asks(with(goodFields, pair{":path", "/page/2"})), verdict{400, "ambiguous_request"}},
	{"a pseudo-header field behind others", asks(append([]pair{{"x-name", "y"}}, goodFields...)), verdict{400, "ambiguous_request"}},
	{"a pseudo-header field of answers", asks(with(goodFields, pair{":status", "200"})), verdict{400, "ambiguous_request"}},
	{"connection", asks(with(goodFields, pair{"connection", "close"})), verdict{400, "ambiguous_request"}},
	{"te of another kind", asks(with(goodFields, pair{"te", "gzip"})), verdict{400, "ambiguous_request"}},
	{"white space behind a value", asks(with(goodFields, pair{"cookie", "sid=1; "})), verdict{400, "ambiguous_request"}},
	{"two lengths", asks(with(goodFields, pair{"content-length", "0"}, pair{"content-length", "1"})), verdict{400, "ambiguous_request"}},
	{"a length without a body", asks(with(goodFields, pair{"content-length", "3"})), verdict{400, "ambiguous_request"}},
	{"CONNECT", asks([]pair{{":method", "CONNECT"}, {":authority", "example.com:443"}}), verdict{400, "ambiguous_request"}},
	{"a head beyond its bound", asks(with(goodFields, pair{"x", strings.Repeat("y", 9<<10)})), verdict{431, "too_large"}},

	{"a header block that is no HPACK", func(f *frames) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff}})
	}, verdict{}},
	{"a header block that is interrupted", func(f *frames) error {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(goodFields)})
		return f.WritePing(false, [8]byte{})
	}, verdict{}},
	{"more padding than frame", func(f *frames) error {
		return f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, []byte{9, 0x82})
	}, verdict{}},
	{"a stream of even number", func(f *frames) error { return f.request(2, goodFields, nil) }, verdict{}},
	{"data on no stream", func(f *frames) error { return f.WriteData(7, true, []byte("x")) }, verdict{}},
	{"a ping that is too short", func(f *frames) error { return f.WriteRawFrame(http2.FramePing, 0, 0, []byte("x")) }, verdict{}},
	{"a window of zero", func(f *frames) error { return f.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 0}) }, verdict{}},
	{"a frame beyond its bound", func(f *frames) error {
		return f.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 6*4096))
	}, verdict{}},
}

func asks(fields []pair) func(*frames) error {
	return func(f *frames) error { return f.request(1, fields, nil) }
}

// TestI7I10MalformedHTTP2IsOnRecord: each is a refusal on record with its agent and
// task, once; what can be answered has our answer and then a reset.
func TestI7I10MalformedHTTP2IsOnRecord(t *testing.T) {
	h := openHostile(t, wire.Config{MaxHeadBytes: 8 << 10})
	tasks := map[string]string{} // task → case
	for _, c := range malformed2 {
		t.Run(c.name, func(t *testing.T) {
			other := *h
			other.proxy = h.newTask(t)
			tasks[other.task(t)] = c.name
			f := other.frames(t)
			defer f.conn.Close()
			if err := c.send(f); err != nil {
				t.Fatal(err)
			}
			if c.want == (verdict{}) {
				if f.until(func() bool { return false }); !f.gone {
					t.Error("the connection goes on")
				}
				if !strings.HasPrefix(f.reason, "ambiguous_request: ") || !strings.Contains(f.reason, "record r_") {
					t.Errorf("the agent is told %q", f.reason)
				}
				return
			}
			f.until(func() bool { return f.answers[1] != nil && f.answers[1].reset != 0 })
			g := f.answers[1]
			if g == nil || g.status != c.want.status || problemOf(t, g.header, g.body) != c.want.code || g.reset != http2.ErrCodeProtocol {
				t.Fatalf("%+v, want %v", g, c.want)
			}
			if f.gone {
				t.Error("one malformed request ended the connection")
			}
		})
	}
	h.fine(t)
	seen := map[string]int{}
	for _, r := range h.recordsOf(t, "refusal") {
		name := tasks[r.Task]
		seen[name]++
		if r.Agent == "" || r.Sponsor == "" || r.Grant == "" || r.Host != "example.com:443" || r.Code != "ambiguous_request" && r.Code != "too_large" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, c := range malformed2 {
		if seen[c.name] != 1 {
			t.Errorf("%s: %d records", c.name, seen[c.name])
		}
	}
}

// TestI10MalformedHTTP2CannotFillTheRecord: a connection is ended once it has
// brought sixteen refusals of this kind; until then each is answered.
func TestI10MalformedHTTP2CannotFillTheRecord(t *testing.T) {
	h := openHostile(t, wire.Config{})
	f := h.settled(t)
	defer f.conn.Close()
	go func() {
		for id := uint32(1); id < 2000 && f.request(id, goodFields[:3], []byte("x")) == nil; id += 2 {
		}
	}()
	f.until(func() bool { return false })
	answers := 0
	for id, g := range f.answers {
		if g.status == 400 && problemOf(t, g.header, g.body) == "ambiguous_request" {
			answers++
		} else if id != 0 {
			t.Errorf("stream %d: %+v", id, g)
		}
	}
	h.fine(t)
	if n := len(h.recordsOf(t, "refusal")); n != 16 || answers != 16 || !f.gone || !strings.HasPrefix(f.reason, "ambiguous_request: ") {
		t.Errorf("%d records, %d answers, connection ended: %v (%s)", n, answers, f.gone, f.reason)
	}
}

// task is the task that the credentials name.
func (h *hostileHouse) task(t *testing.T) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.proxy, "Basic "))
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(string(text), ":")
	return id
}
