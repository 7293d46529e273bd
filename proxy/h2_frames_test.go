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

// frameAgent is an agent that writes HTTP/2 frames one by one. Nothing between it
// and the server corrects, reorders or refuses what it writes.
type frameAgent struct {
	t    testing.TB
	conn net.Conn
	*http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer // that encoder writes to

	answers map[uint32]*rawAnswer // by stream; stream 0 has frames of the connection
	gone    bool                  // a GOAWAY with an error came, or the connection ended
	reason  string                // of the GOAWAY
	onFrame func(http2.Frame)     // called with every frame that is read, unless nil
}

// h2Field is one field of a header block.
type h2Field struct{ name, value string }

// getPath returns the fields of a good request for a path.
func getPath(path string) []h2Field {
	return []h2Field{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", path}}
}

// newFrameAgent opens a connection and sends the preface and settings.
func (h *hostileServer) newFrameAgent(t testing.TB) *frameAgent {
	t.Helper()
	f := &frameAgent{t: t, conn: h.connect(t, "h2"), answers: map[uint32]*rawAnswer{}}
	f.Framer = http2.NewFramer(f.conn, f.conn)
	f.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.Framer.AllowIllegalWrites = true
	f.encoder = hpack.NewEncoder(&f.block)
	if _, err := io.WriteString(f.conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// newSettledFrameAgent returns a frameAgent after both sides have acknowledged
// the settings of the other. From then on it writes only what the test writes.
func (h *hostileServer) newSettledFrameAgent(t testing.TB) *frameAgent {
	t.Helper()
	f := h.newFrameAgent(t)
	received, acknowledged := false, false
	f.onFrame = func(frame http2.Frame) {
		if s, ok := frame.(*http2.SettingsFrame); ok {
			received = received || !s.IsAck()
			acknowledged = acknowledged || s.IsAck()
		}
	}
	f.readUntil(func() bool { return received && acknowledged })
	return f
}

// writeRequest writes a request, with its header block in as many frames as it
// needs.
func (f *frameAgent) writeRequest(stream uint32, fields []h2Field, body []byte) error {
	const maxFrame = 16 << 10
	block := f.encode(fields)
	first := block[:min(len(block), maxFrame)]
	rest := block[len(first):]
	err := f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: first, EndStream: len(body) == 0, EndHeaders: len(rest) == 0,
	})
	for len(rest) > 0 && err == nil {
		part := rest[:min(len(rest), maxFrame)]
		rest = rest[len(part):]
		err = f.WriteContinuation(stream, len(rest) == 0, part)
	}
	if len(body) > 0 && err == nil {
		err = f.WriteData(stream, true, body)
	}
	return err
}

func (f *frameAgent) encode(fields []h2Field) []byte {
	f.block.Reset()
	for _, p := range fields {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: p.name, Value: p.value})
	}
	return bytes.Clone(f.block.Bytes())
}

// isAnswered returns a condition for readUntil: the stream has ended.
func (f *frameAgent) isAnswered(stream uint32) func() bool {
	return func() bool { return f.answers[stream] != nil && f.answers[stream].ended }
}

// readUntil reads frames until done returns true or the connection ends.
func (f *frameAgent) readUntil(done func() bool) {
	_ = f.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for !done() && !f.gone {
		frame, err := f.ReadFrame()
		if _, ok := errors.AsType[http2.StreamError](err); ok {
			continue
		}
		if err != nil {
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
				f.t.Error("no frame within 10 seconds")
			}
			f.gone = true
			return
		}
		f.handleFrame(frame)
	}
}

// readToEnd reads frames until the connection ends, and reports whether it did.
func (f *frameAgent) readToEnd() bool {
	f.readUntil(func() bool { return false })
	return f.gone
}

func (f *frameAgent) handleFrame(frame http2.Frame) {
	if f.onFrame != nil {
		f.onFrame(frame)
	}
	stream := frame.Header().StreamID
	a := f.answers[stream]
	if a == nil {
		a = &rawAnswer{}
		f.answers[stream] = a
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
		a.reset = frame.ErrCode
		if frame.ErrCode != http2.ErrCodeNo && !a.ended { // a reset after a complete answer does not change it
			a.verdict = verdict{}
			a.header = nil
		}
		a.ended = true

	case *http2.MetaHeadersFrame:
		for _, field := range frame.Fields {
			a.addField(field)
		}
		a.ended = a.ended || frame.StreamEnded()

	case *http2.DataFrame:
		a.body += string(frame.Data())
		a.ended = a.ended || frame.StreamEnded()
	}
}

func (a *rawAnswer) addField(field hpack.HeaderField) {
	if a.header == nil {
		a.header = http.Header{}
	}
	if field.Name == ":status" {
		a.status, _ = strconv.Atoi(field.Value)
		return
	}
	a.header.Add(field.Name, field.Value)
}

// exchangeH2 sends a request and returns its answer. Then it sends another on the
// same connection, which must be answered unless the first ended the connection.
func (h *hostileServer) exchangeH2(t *testing.T, fields []h2Field, body []byte) []rawAnswer {
	t.Helper()
	f := h.newFrameAgent(t)
	defer f.conn.Close()
	if err := f.writeRequest(1, fields, body); err != nil {
		t.Fatal(err)
	}
	f.readUntil(f.isAnswered(1))
	a := f.answers[1]
	if a == nil {
		a = &rawAnswer{}
	}
	a.code = refusalCode(t, a.header, a.body)

	if !f.gone {
		_ = f.writeRequest(3, getPath("/page/sentinel"), nil)
		f.readUntil(f.isAnswered(3))
		if next := f.answers[3]; !f.gone && (next == nil || next.status != 200 || next.body != "ok") {
			t.Errorf("the next request on the connection got %+v, want 200", next)
		}
	}
	return []rawAnswer{*a}
}

// toHTTP2 translates a request of HTTP/1.1, with its escapes, to fields of HTTP/2:
// the request line and Host become pseudo-header fields, and names change to
// lower case. It corrects nothing. If the first line begins with a colon, the
// lines are the fields.
func toHTTP2(raw string) (fields []h2Field, body string) {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if strings.HasPrefix(head, ":") {
		for _, l := range lines {
			name, value, _ := strings.Cut(l[1:], ": ")
			fields = append(fields, h2Field{l[:1] + name, value})
		}
		return fields, body
	}

	authority := ""
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		name = lowerASCII(name)
		value = strings.Trim(strings.ReplaceAll(value, `\t`, "\t"), " \t")
		if name == "host" && authority == "" {
			authority = value
			continue
		}
		fields = append(fields, h2Field{name, value})
	}
	words := strings.Split(lines[0], " ")
	target := strings.Join(words[1:len(words)-1], " ")
	pseudo := []h2Field{{":method", words[0]}, {":scheme", "https"}, {":authority", authority}, {":path", target}}
	return append(pseudo, fields...), body
}

// lowerASCII changes only the letters of ASCII to lower case.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
