package h1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// FuzzChunkedBody shows that net/http reads a chunked body that we accept to the
// same end, and that we read the same however its bytes arrive.
func FuzzChunkedBody(f *testing.F) {
	for _, s := range []string{
		"3\r\nabc\r\n0\r\n\r\n",
		"0\r\n\r\n",
		"a\r\n0123456789\r\n003\r\nabc\r\n000\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1",
		"3;x\r\nabc\r\n0\r\n\r\n",
		"3\nabc\r\n0\r\n\r\n",
		"fffffffffffffffff\r\n",
		"1\r\na0\r\n\r\n",
	} {
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(200))
	}
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		whole := readChunkedBody(raw, len(raw)+1)
		stepped := readChunkedBody(raw, int(step)+1)
		if (whole.err == nil) != (stepped.err == nil) || whole.err == nil && !bytes.Equal(whole.data, stepped.data) ||
			!slices.Equal(whole.trailer, stepped.trailer) {
			t.Fatalf("in one read: %+v\nin reads of %d bytes: %+v", whole, int(step)+1, stepped)
		}
		if whole.err == nil {
			compareBodyWithNetHTTP(t, raw, whole)
		}
	})
}

// compareBodyWithNetHTTP compares read with what net/http reads from raw.
func compareBodyWithNetHTTP(t *testing.T, raw []byte, read chunkedBody) {
	t.Helper()
	head := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	source := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(raw)))
	r, err := http.ReadRequest(source)
	if err != nil {
		t.Fatal(err)
	}

	data, err := io.ReadAll(r.Body)
	if err != nil || !bytes.Equal(data, read.data) {
		t.Fatalf("net/http reads %q (%v), we read %q\n%q", data, err, read.data, raw)
	}
	rest, _ := io.ReadAll(source)
	if !bytes.Equal(rest, read.rest) {
		t.Fatalf("net/http leaves %q, we leave %q\n%q", rest, read.rest, raw)
	}
	for _, field := range read.trailer {
		if !slices.Contains(r.Trailer[http.CanonicalHeaderKey(field.Name)], field.Value) {
			t.Fatalf("net/http does not see %q after the body: %v\n%q", field, r.Trailer, raw)
		}
	}
}

// chunkedBody is what was read of a chunked body.
type chunkedBody struct {
	data    []byte
	trailer []wire.Field
	rest    []byte // what follows the body
	err     error
}

// readChunkedBody reads raw as a chunked body. Each read of the connection gives at
// most step bytes.
func readChunkedBody(raw []byte, step int) (read chunkedBody) {
	conn := &scriptedConn{in: raw, step: step}
	body := &Body{Source: &Reader{Conn: conn}, Framing: Chunked, MaxTrailerBytes: 4096, MaxTrailerFields: 20}

	read.data, read.err = io.ReadAll(body)
	if read.err == nil && !body.Finish(0) {
		read.err = io.ErrUnexpectedEOF
	}
	read.trailer = body.Trailers()
	read.rest = append(append([]byte(nil), body.Source.Buffered()...), conn.in...)
	return read
}

// scriptedConn is a connection whose peer sends in and then closes it.
type scriptedConn struct {
	net.Conn
	in   []byte
	step int // most bytes of one read
}

func (s *scriptedConn) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *scriptedConn) SetReadDeadline(time.Time) error { return nil }
