package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/byline-proxy/byline/cmd/byline/e2e/websockettest/frames"
	"github.com/byline-proxy/byline/proxy/wire"
)

const (
	final     = 0x80
	testLimit = 1 << 20
)

// frame returns a frame as a client sends it if it is masked.
func testFrame(first byte, masked bool, payload string) []byte {
	return frames.Frame{First: first, Masked: masked, Key: [4]byte{1, 2, 3, 4}, Payload: []byte(payload)}.Append(nil)
}

// readAll returns what a Reader makes of b: the messages, and the error that ended them.
func readAll(b []byte, fromClient bool, cut func(io.Reader) io.Reader) (all []string, err error) {
	src := io.Reader(bytes.NewReader(b))
	if cut != nil {
		src = cut(src)
	}
	r := NewReader(src, fromClient, testLimit, nil)
	for {
		m, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, fmt.Sprintf("%d %d %s", m.Kind, m.Status, m.Payload))
	}
}

func TestMessagesAreJoinedHoweverTheyAreCut(t *testing.T) {
	long := strings.Repeat("0123456789ä", 9000)
	var b []byte
	for _, f := range []struct {
		first   byte
		payload string
	}{
		{final | 1, ""},
		{final | 1, "hello"},
		{final | 2, strings.Repeat("\x81", 125)},
		{final | 2, strings.Repeat("\x81", 126)},
		{final | 1, long},
		{1, "first ä\xc3"}, // a character in two fragments
		{final | 9, "ping"},
		{0, ""},
		{final, "\xa4 last"},
		{final | 10, ""},
		{final | 8, "\x03\xe8bye"},
	} {
		b = append(b, testFrame(f.first, true, f.payload)...)
	}
	want := []string{"1 0 ", "1 0 hello", "2 0 " + strings.Repeat("\x81", 125), "2 0 " + strings.Repeat("\x81", 126), "1 0 " + long,
		"9 0 ping", "1 0 first ää last", "10 0 ", "8 1000 bye"}

	for name, cut := range map[string]func(io.Reader) io.Reader{"whole": nil, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader, "with the error": iotest.DataErrReader} {
		got, err := readAll(b, true, cut)
		if fmt.Sprint(got) != fmt.Sprint(want) || err != io.EOF {
			t.Errorf("%s: got %q, error %v; want %q and EOF", name, got, err, want)
		}
	}
}

// TestI2I10HostileFrames sends what RFC 6455 does not allow, or what two readers may read in two ways.
func TestI2I10HostileFrames(t *testing.T) {
	raw := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		name   string
		b      []byte
		status int // 0: the stream breaks off
	}{
		{"not masked", testFrame(final|1, false, "x"), 1002},
		{"RSV1, as of permessage-deflate", testFrame(final|0x40|1, true, "x"), 1002},
		{"RSV2", testFrame(final|0x20|1, true, "x"), 1002},
		{"RSV3 in a control frame", testFrame(final|0x10|9, true, "x"), 1002},
		{"RSV1 in a continuation", append(testFrame(1, true, "x"), testFrame(final|0x40, true, "x")...), 1002},
		{"opcode 3", testFrame(final|3, true, "x"), 1002},
		{"opcode 7", testFrame(final|7, true, "x"), 1002},
		{"opcode 11", testFrame(final|11, true, "x"), 1002},
		{"opcode 15", testFrame(final|15, true, "x"), 1002},
		{"a continuation of nothing", testFrame(final, true, "x"), 1002},
		{"a second message within one", append(testFrame(1, true, "x"), testFrame(final|2, true, "x")...), 1002},
		{"a ping in fragments", testFrame(9, true, "x"), 1002},
		{"a ping of 126 bytes", testFrame(final|9, true, strings.Repeat("x", 126)), 1002},
		{"a length of 5 in two bytes", raw("\x81\xfe\x00\x05\x00\x00\x00\x00hello"), 1002},
		{"a length of 5 in eight bytes", raw("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00hello"), 1002},
		{"a length of 65535 in eight bytes", raw("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00"), 1002},
		{"a negative length", raw("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1002},
		{"a length of 2^62", raw("\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1009},
		{"a message over the bound", raw("\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01\x00\x00\x00\x00"), 1009},
		{"fragments over the bound", append(testFrame(2, true, strings.Repeat("x", testLimit)), testFrame(final, true, "x")...), 1009},
		{"text that is not UTF-8", testFrame(final|1, true, "\xff"), 1007},
		{"half a character at the end", testFrame(final|1, true, "\xc3"), 1007},
		{"a surrogate in UTF-8", testFrame(final|1, true, "\xed\xa0\x80"), 1007},
		{"an overlong slash", testFrame(final|1, true, "\xc0\xaf"), 1007},
		{"a close frame of one byte", testFrame(final|8, true, "\x03"), 1002},
		{"a close frame with 1005", testFrame(final|8, true, "\x03\xed"), 1002},
		{"a close frame with 999", testFrame(final|8, true, "\x03\xe7"), 1002},
		{"a close frame with 5000", testFrame(final|8, true, "\x13\x88"), 1002},
		{"a reason that is not UTF-8", testFrame(final|8, true, "\x03\xe8\xff"), 1007},
		{"half a head", raw("\x81"), 0},
		{"half a payload", testFrame(final|1, true, "hello")[:8], 0},
		{"half a message", testFrame(1, true, "hello"), 0},
	} {
		got, err := readAll(c.b, true, iotest.HalfReader)
		var closed *wire.CloseError
		status := 0
		if errors.As(err, &closed) {
			status = closed.Status
		}
		if len(got) > 0 || status != c.status || status == 0 && err != io.ErrUnexpectedEOF {
			t.Errorf("%s: got messages %q and error %v, want none and status %d", c.name, got, err, c.status)
		}
	}

	if _, err := readAll(testFrame(final|1, true, "x"), false, nil); err == nil || err == io.EOF {
		t.Errorf("a masked frame of a server: error %v, want 1002", err)
	}
}

// FuzzReader holds the Reader against an independent one, and the Writer against both: what is written again is read
// as the same messages.
func FuzzReader(f *testing.F) {
	f.Add(append(testFrame(1, true, "ab"), testFrame(final, true, "c")...), true)
	f.Add(testFrame(final|8, false, "\x03\xe8bye"), false)
	f.Add([]byte("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true)
	f.Add([]byte("\x81\xfe\x00\x05\x00\x00\x00\x00hello"), true)
	f.Fuzz(func(t *testing.T, b []byte, fromClient bool) {
		got, err := readAll(b, fromClient, iotest.OneByteReader)
		want, whole := joinIndependently(b, fromClient)
		if len(got) > len(want) || fmt.Sprint(got) != fmt.Sprint(want[:len(got)]) {
			t.Fatalf("got %q, an independent reader %q", got, want)
		}
		if err == io.EOF && (!whole || len(got) != len(want)) {
			t.Fatalf("the reader accepts %x whole, an independent reader does not: %q", b, want)
		}

		var again bytes.Buffer
		r, w := NewReader(bytes.NewReader(b), fromClient, testLimit, nil), NewWriter(&again, fromClient)
		for {
			m, err := r.Next()
			if err != nil || w.Write(m) != nil {
				break
			}
		}
		written, err := readAll(again.Bytes(), fromClient, nil)
		for i := range got {
			if i >= len(written) || written[i] != got[i] {
				t.Fatalf("wrote %q again as %q", got, written)
			}
			if strings.HasPrefix(got[i], "8 ") {
				break // nothing follows a close frame
			}
		}
		if err != io.EOF {
			t.Fatalf("what was written ends with %v", err)
		}
	})
}

// joinIndependently reads messages with the frame reader of the tests. whole reports that b is valid to its end.
func joinIndependently(b []byte, fromClient bool) (all []string, whole bool) {
	var message []byte
	kind := byte(0)
	for len(b) > 0 {
		f, rest, err := frames.ReadFrame(b)
		if err != nil || f.Masked != fromClient || f.First&0x70 != 0 || len(f.Append(nil)) != len(b)-len(rest) {
			return all, false
		}
		b = rest

		opcode := f.First & 15
		switch {
		case opcode >= 8:
			status, text := 0, f.Payload
			if opcode == 8 && len(text) >= 2 {
				status, text = int(text[0])<<8+int(text[1]), text[2:]
			}
			all = append(all, fmt.Sprintf("%d %d %s", opcode, status, text))
			continue
		case opcode == 0:
			message = append(message, f.Payload...)
		default:
			kind, message = opcode, f.Payload
		}
		if f.First&final != 0 {
			all = append(all, fmt.Sprintf("%d 0 %s", kind, message))
			kind = 0
		}
	}
	return all, kind == 0
}

func TestFramesOfAllSizesAreWrittenAsTheyWereRead(t *testing.T) {
	for _, asClient := range []bool{false, true} {
		var b bytes.Buffer
		w := NewWriter(&b, asClient)
		var want []string
		for _, n := range []int{0, 1, 125, 126, 1000, 32<<10 - 14, 32 << 10, 65535, 65536, 200001} {
			payload := bytes.Repeat([]byte("abcdefghijk"), n/11+1)[:n]
			if err := w.Write(wire.Message{Kind: wire.MessageBinary, Payload: payload}); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("2 0 %s", payload))
		}
		got, err := readAll(b.Bytes(), asClient, nil)
		if fmt.Sprint(got) != fmt.Sprint(want) || err != io.EOF || w.Sent() != int64(b.Len()) {
			t.Errorf("as client %v: %d messages, error %v, want %d; sent %d bytes of %d", asClient, len(got), err, len(want), w.Sent(), b.Len())
		}
	}
}

func TestALongReasonIsCutBetweenCharacters(t *testing.T) {
	payload := closePayload(1008, []byte(strings.Repeat("ä", 100)))
	if len(payload) > maxControlPayload || !utf8.Valid(payload[2:]) {
		t.Errorf("the payload has %d bytes: %q", len(payload), payload)
	}
}

func BenchmarkMessages(b *testing.B) {
	for _, n := range []int{100, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			one := testFrame(final|2, true, strings.Repeat("x", n))
			src := &repeatedReader{b: one}
			r, w := NewReader(src, true, 4<<20, nil), NewWriter(io.Discard, true)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				m, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				_ = w.Write(m)
			}
		})
	}
}

// repeatedReader returns b again and again.
type repeatedReader struct {
	b  []byte
	at int
}

func (r *repeatedReader) Read(p []byte) (int, error) {
	n := copy(p, r.b[r.at:])
	r.at = (r.at + n) % len(r.b)
	return n, nil
}
