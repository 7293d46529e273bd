package proxy

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// goodRequest are the fields of a request without a fault.
var goodRequest = getPath("/page/1")

// addFields returns goodRequest followed by more fields.
func addFields(more ...h2Field) []h2Field {
	return append(append([]h2Field(nil), goodRequest...), more...)
}

// malformedH2 are malformed requests and frames of HTTP/2. A malformed request is
// answered. A zero want says that the whole connection is at fault and ends.
var malformedH2 = []struct {
	name  string
	write func(f *frameAgent) error
	want  verdict
}{
	{"a name in upper case", writeFields(addFields(h2Field{"X-Name", "y"})), malformedRequest},
	{"no :path", writeFields(goodRequest[:3]), malformedRequest},
	{"no :method", writeFields(goodRequest[1:]), malformedRequest},
	{"no fields", writeFields(nil), malformedRequest},
	{":path twice", writeFields(addFields(h2Field{":path", "/page/2"})), malformedRequest},
	{"a pseudo-header field after another field", writeFields(append([]h2Field{{"x-name", "y"}}, goodRequest...)), malformedRequest},
	{"a pseudo-header field of responses", writeFields(addFields(h2Field{":status", "200"})), malformedRequest},
	{"connection", writeFields(addFields(h2Field{"connection", "close"})), malformedRequest},
	{"te with a value other than trailers", writeFields(addFields(h2Field{"te", "gzip"})), malformedRequest},
	{"white space after a value", writeFields(addFields(h2Field{"cookie", "sid=1; "})), malformedRequest},
	{"two lengths", writeFields(addFields(h2Field{"content-length", "0"}, h2Field{"content-length", "1"})), malformedRequest},
	{"a length without a body", writeFields(addFields(h2Field{"content-length", "3"})), malformedRequest},
	{"CONNECT", writeFields([]h2Field{{":method", "CONNECT"}, {":authority", "example.com:443"}}), malformedRequest},
	{"a head beyond the limit", writeFields(addFields(h2Field{"x", strings.Repeat("y", 9<<10)})), verdict{431, "too_large"}},

	{"a header block that is not HPACK", func(f *frameAgent) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff}})
	}, verdict{}},
	{"a frame within a header block", func(f *frameAgent) error {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(goodRequest)})
		return f.WritePing(false, [8]byte{})
	}, verdict{}},
	{"more padding than frame", func(f *frameAgent) error {
		return f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, []byte{9, 0x82})
	}, verdict{}},
	{"an even stream number", func(f *frameAgent) error { return f.writeRequest(2, goodRequest, nil) }, verdict{}},
	{"data of a stream that is not open", func(f *frameAgent) error { return f.WriteData(7, true, []byte("x")) }, verdict{}},
	{"a short ping", func(f *frameAgent) error { return f.WriteRawFrame(http2.FramePing, 0, 0, []byte("x")) }, verdict{}},
	{"a window update of zero", func(f *frameAgent) error {
		return f.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 0})
	}, verdict{}},
	{"a frame beyond the limit", func(f *frameAgent) error {
		return f.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 6*4096))
	}, verdict{}},
}

// malformedRequest is the answer to a malformed request.
var malformedRequest = verdict{400, "ambiguous_request"}

func writeFields(fields []h2Field) func(*frameAgent) error {
	return func(f *frameAgent) error { return f.writeRequest(1, fields, nil) }
}

// TestI7I10MalformedHTTP2IsOnRecord checks that each malformed request or frame
// is one refusal on record, with its agent and task. A request is answered and
// then reset; a frame ends the connection with the refusal as its reason.
func TestI7I10MalformedHTTP2IsOnRecord(t *testing.T) {
	h := startHostileServer(t, wire.Config{MaxHeadBytes: 8 << 10})
	caseOfTask := map[string]string{}
	for _, c := range malformedH2 {
		t.Run(c.name, func(t *testing.T) {
			own := h.withNewTask(t)
			caseOfTask[own.taskID(t)] = c.name
			f := own.newFrameAgent(t)
			defer f.conn.Close()
			if err := c.write(f); err != nil {
				t.Fatal(err)
			}

			if c.want == (verdict{}) {
				if !f.readToEnd() {
					t.Error("the connection did not end")
				}
				if !strings.HasPrefix(f.reason, "ambiguous_request: ") || !strings.Contains(f.reason, "record r_") {
					t.Errorf("the reason in GOAWAY is %q, want ambiguous_request and a record", f.reason)
				}
				return
			}

			f.readUntil(func() bool { return f.answers[1] != nil && f.answers[1].reset != 0 })
			a := f.answers[1]
			if a == nil || a.status != c.want.status || refusalCode(t, a.header, a.body) != c.want.code || a.reset != http2.ErrCodeProtocol {
				t.Fatalf("got %+v, want %v and a reset with PROTOCOL_ERROR", a, c.want)
			}
			if f.gone {
				t.Error("the connection ended after one malformed request")
			}
		})
	}
	h.checkWorks(t)

	records := map[string]int{} // by case
	for _, r := range h.readRecords(t, "refusal") {
		name := caseOfTask[r.Task]
		records[name]++
		if r.Agent == "" || r.Sponsor == "" || r.Grant == "" || r.Host != "example.com:443" {
			t.Errorf("%s: the refusal lacks agent, sponsor, grant or host: %+v", name, r)
		}
		if r.Code != "ambiguous_request" && r.Code != "too_large" {
			t.Errorf("%s: the refusal has code %q, want ambiguous_request or too_large", name, r.Code)
		}
	}
	for _, c := range malformedH2 {
		if records[c.name] != 1 {
			t.Errorf("%s: %d refusals on record, want 1", c.name, records[c.name])
		}
	}
}

// TestI10MalformedHTTP2CannotFillTheRecord writes many malformed requests on one
// connection. Each is answered and recorded until the limit, which ends the
// connection.
func TestI10MalformedHTTP2CannotFillTheRecord(t *testing.T) {
	const limit = 16
	h := startHostileServer(t, wire.Config{})
	f := h.newSettledFrameAgent(t)
	defer f.conn.Close()
	go func() {
		for stream := uint32(1); stream < 2000 && f.writeRequest(stream, goodRequest[:3], []byte("x")) == nil; stream += 2 {
		}
	}()
	if !f.readToEnd() || !strings.HasPrefix(f.reason, "ambiguous_request: ") {
		t.Errorf("the connection ended: %v, reason %q; want true and ambiguous_request", f.gone, f.reason)
	}

	answers := 0
	for stream, a := range f.answers {
		switch {
		case a.status == malformedRequest.status && refusalCode(t, a.header, a.body) == malformedRequest.code:
			answers++
		case stream != 0:
			t.Errorf("stream %d got %+v, want %v", stream, a, malformedRequest)
		}
	}
	h.checkWorks(t)
	if records := len(h.readRecords(t, "refusal")); records != limit || answers != limit {
		t.Errorf("%d refusals on record and %d answers, want %d each", records, answers, limit)
	}
}
