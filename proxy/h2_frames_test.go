package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is an agent that writes HTTP/2 frames by hand: nothing between it and
// the wire mends, orders or refuses what it sends.
type frames struct {
	t    testing.TB
	conn net.Conn
	*http2.Framer
	enc     *hpack.Encoder
	block   bytes.Buffer
	answers map[uint32]*got
	gone    bool              // GOAWAY or the connection's end
	reason  string            // of a GOAWAY
	saw     func(http2.Frame) // may be nil
}

// pair is one field of a header block, as it is.
type pair struct{ name, value string }

func (h *hostileHouse) frames(t testing.TB) *frames {
	t.Helper()
	f := &frames{t: t, conn: h.connect(t, "h2"), answers: map[uint32]*got{}}
	f.Framer = http2.NewFramer(f.conn, f.conn)
	f.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.Framer.AllowIllegalWrites = true
	f.enc = hpack.NewEncoder(&f.block)
	if _, err := io.WriteString(f.conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// request writes one request, its header block in as many frames as it needs.
func (f *frames) request(id uint32, fields []pair, body []byte) error {
	block := f.encode(fields)
	first := block[:min(len(block), 16<<10)]
	rest := block[len(first):]
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: len(body) == 0, EndHeaders: len(rest) == 0})
	for len(rest) > 0 && err == nil {
		part := rest[:min(len(rest), 16<<10)]
		rest = rest[len(part):]
		err = f.WriteContinuation(id, len(rest) == 0, part)
	}
	if len(body) > 0 && err == nil {
		err = f.WriteData(id, true, body)
	}
	return err
}

func (f *frames) encode(fields []pair) []byte {
	f.block.Reset()
	for _, p := range fields {
		_ = f.enc.WriteField(hpack.HeaderField{Name: p.name, Value: p.value})
	}
	return append([]byte(nil), f.block.Bytes()...)
}

// until reads frames until done says so, or the connection ends.
func (f *frames) until(done func() bool) {
	_ = f.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for !done() && !f.gone {
		frame, err := f.ReadFrame()
		var stream http2.StreamError
		if errors.As(err, &stream) {
			continue
		}
		if err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				f.t.Error("no answer in time")
			}
			f.gone = true
			return
		}
		f.take(frame)
	}
}

func (f *frames) take(frame http2.Frame) {
	if f.saw != nil {
		f.saw(frame)
	}
	id := frame.Header().StreamID
	g := f.answers[id]
	if g == nil {
		g = &got{}
		f.answers[id] = g
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			_ = f.WriteSettingsAck()
		}
	case *http2.GoAwayFrame:
		f.gone = frame.ErrCode != http2.ErrCodeNo
		f.reason = string(frame.DebugData())
	case *http2.RSTStreamFrame:
		if g.reset = frame.ErrCode; frame.ErrCode != http2.ErrCodeNo && !g.close { // behind a whole answer it says nothing
			g.verdict, g.header = verdict{}, nil
		}
		g.close = true
	case *http2.MetaHeadersFrame:
		for _, hf := range frame.Fields {
			g.field(hf)
		}
		g.close = g.close || frame.StreamEnded()
	case *http2.DataFrame:
		g.body += string(frame.Data())
		g.close = g.close || frame.StreamEnded()
	}
}

func (g *got) field(hf hpack.HeaderField) {
	if g.header == nil {
		g.header = http.Header{}
	}
	if hf.Name == ":status" {
		g.status, _ = strconv.Atoi(hf.Value)
		return
	}
	g.header.Add(hf.Name, hf.Value)
}

// ask2 makes one request and then another, which proves that the connection is
// still of use, unless the frames of the first one were a reason to end it.
func (h *hostileHouse) ask2(t *testing.T, fields []pair, body []byte) []got {
	t.Helper()
	f := h.frames(t)
	defer f.conn.Close()
	if err := f.request(1, fields, body); err != nil {
		t.Fatal(err)
	}
	over := func(id uint32) func() bool {
		return func() bool { return f.answers[id] != nil && f.answers[id].close }
	}
	f.until(over(1))
	g := f.answers[1]
	if g == nil {
		g = &got{}
	}
	g.code = problemOf(t, g.header, g.body)
	if !f.gone {
		_ = f.request(3, []pair{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/page/sentinel"}}, nil)
		f.until(over(3))
		if g := f.answers[3]; !f.gone && (g == nil || g.status != 200 || g.body != "ok") {
			t.Errorf("the next request on the connection: %+v", g)
		}
	}
	return []got{*g}
}

// translate makes a request of HTTP/1.1's form, its escapes still in, one of
// HTTP/2's, and repairs nothing on the way.
func translate(raw string) (fields []pair, body string) {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if strings.HasPrefix(head, ":") {
		for _, l := range lines {
			name, value, _ := strings.Cut(l[1:], ": ")
			fields = append(fields, pair{l[:1] + name, value})
		}
		return fields, body
	}
	words := strings.Split(lines[0], " ")
	authority := ""
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		value = strings.Trim(strings.ReplaceAll(value, `\t`, "\t"), " \t")
		if name = lowerASCII(name); name == "host" && authority == "" {
			authority = value
			continue
		}
		fields = append(fields, pair{name, value})
	}
	target := strings.Join(words[1:len(words)-1], " ")
	first := []pair{{":method", words[0]}, {":scheme", "https"}, {":authority", authority}, {":path", target}}
	return append(first, fields...), body
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
