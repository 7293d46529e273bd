package h1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/wire"
)

// heads are seeds: what is carried, and what nearly is.
var heads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /a%20b?c=%zz HTTP/1.1\r\nHost: A.example:8080\r\nContent-Length: 3\r\nCookie: a=b; c=d\r\ncookie: e\r\n\r\n",
	"PUT /x HTTP/1.1\r\nHost: [::1]:443\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nExpect: 100-continue\r\n\r\n",
	"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
	"GET /x HTTP/1.0\r\nConnection: X-Drop, close\r\nX-Drop: 1\r\nX-Keep: \xe9\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a.\r\nTE: trailers\r\n\r\n",
	"GET http://a.example/x HTTP/1.1\r\nHost: a.example:80\r\nProxy-Authorization: Basic eA==\r\n\r\n",
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET /\x00 HTTP/1.1\r\nHost : a\r\n\r\n",
}

// FuzzHead: what parseHead accepts, net/http reads in the same way, as it came
// and as we send it on.
func FuzzHead(f *testing.F) {
	for _, h := range heads {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, allowed := range []TargetForms{0, AbsoluteForm | AuthorityForm} {
			there(t, s, allowed)
		}
	})
}

// FuzzFields is FuzzHead with the lines in place, which a fuzzer seldom keeps.
func FuzzFields(f *testing.F) {
	f.Add("GET", "/", "a", "Cookie", "a=b", "Connection", "x, y")
	f.Add("POST", "/a?b", "A:80", "Content-Length", "3", "Upgrade", "websocket")
	f.Add("PUT", "http://a/%2f", "[::1]", "Transfer-Encoding", "chunked", "Trailer", "X-Sum")
	f.Fuzz(func(t *testing.T, method, target, host, n1, v1, n2, v2 string) {
		s := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + n1 + ": " + v1 + "\r\n" + n2 + ": " + v2 + "\r\n\r\n"
		for _, allowed := range []TargetForms{0, AbsoluteForm | AuthorityForm} {
			there(t, s, allowed)
		}
	})
}

// there and back again: read, compare, write, read, compare.
func there(t *testing.T, s string, allowed TargetForms) {
	var m RequestHead
	if ParseRequestHead(s, &m, allowed, 50) != nil {
		return
	}
	sameAsNetHTTP(t, s, &m)
	if m.Method == http.MethodConnect || m.Authority == "" { // HTTP/1.0 without Host is refused by the walk
		return
	}
	out := wire.Request{Head: m.Head}
	if m.Length != 0 {
		out.Body = strings.NewReader("")
	}
	if err := CheckRequest(&out); err != nil {
		t.Fatalf("accepted from an agent and not sent on: %v\n%q", err, s)
	}
	again, err := AppendRequestHead(nil, m.Authority, &out)
	if err != nil {
		t.Fatalf("accepted from an agent and not written: %v\n%q", err, s)
	}
	var second RequestHead
	if bad := ParseRequestHead(string(again), &second, 0, 60); bad != nil {
		t.Fatalf("we refuse what we wrote: %s\n%q", bad.Detail, again)
	}
	sameAsNetHTTP(t, string(again), &second)
	if second.Method != m.Method || second.Path != m.Path || second.Query != m.Query || second.Authority != m.Authority ||
		second.Length != m.Length || second.Upgrade != m.Upgrade || !slices.Equal(second.Fields, m.Fields) {
		t.Fatalf("read %+v\nwrote %+v", m.Head, second.Head)
	}
}

// sameAsNetHTTP compares m with what net/http makes of the same bytes.
func sameAsNetHTTP(t *testing.T, s string, m *RequestHead) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s)))
	if err != nil {
		t.Fatalf("net/http refuses what we accept: %v\n%q", err, s)
	}
	target := m.Path
	if m.HasQuery {
		target += "?" + m.Query
	}
	if m.Method == http.MethodConnect {
		target = r.RequestURI
	} else if u, err := url.Parse(r.RequestURI); err == nil && u.IsAbs() {
		_, rest, _ := strings.Cut(r.RequestURI, "://")
		target = r.RequestURI[:len(r.RequestURI)-len(rest)] + rest[:len(u.Host)] + strings.TrimPrefix(target, missing(rest[len(u.Host):]))
	}
	if r.Method != m.Method || r.RequestURI != target || !SameAuthority(strings.ToLower(r.Host), m.Authority, "http") || r.ContentLength != m.Length ||
		m.Chunked != slices.Equal(r.TransferEncoding, []string{"chunked"}) {
		t.Fatalf("net/http reads %s %s at %s, %d bytes %v; we read %s %s at %s, %d bytes\n%q", r.Method, r.RequestURI, r.Host, r.ContentLength,
			r.TransferEncoding, m.Method, target, m.Authority, m.Length, s)
	}
	want := map[string][]string{}
	for _, f := range m.Fields {
		key := http.CanonicalHeaderKey(f.Name)
		want[key] = append(want[key], f.Value)
	}
	for name, values := range r.Header {
		if RoleOf(name) != RoleEndToEnd && RoleOf(name) != RoleContentType || isListed(m.listed, name) {
			continue
		}
		if name == "Cache-Control" && len(want[name]) == 0 && len(want["Pragma"]) > 0 {
			continue // net/http's own addition
		}
		if !slices.Equal(values, want[name]) {
			t.Fatalf("net/http reads %s: %q, we %q\n%q", name, values, want[name], s)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Fatalf("net/http does not see %q\n%q", want, s)
	}
}

// missing is the slash that an absolute target may leave out.
func missing(rest string) string {
	if strings.HasPrefix(rest, "/") {
		return ""
	}
	return "/"
}

func isListed(list, name string) (is bool) {
	EachListMember(list, func(option string) bool {
		is = is || strings.EqualFold(option, name)
		return !is
	})
	return is
}

// FuzzChunks: a chunked body that we read to its end net/http reads to the same
// end, however its bytes arrive.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{"3\r\nabc\r\n0\r\n\r\n", "0\r\n\r\n", "a\r\n0123456789\r\n003\r\nabc\r\n000\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1",
		"3;x\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\n", "1\r\na0\r\n\r\n"} {
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(200))
	}
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		whole, trailer, rest, err := chunked(raw, len(raw)+1)
		parts, trailer2, _, err2 := chunked(raw, int(step)+1)
		if !bytes.Equal(whole, parts) && err == nil || (err == nil) != (err2 == nil) || !slices.Equal(trailer, trailer2) {
			t.Fatalf("at once: %q %v %v; in steps of %d: %q %v %v", whole, trailer, err, int(step)+1, parts, trailer2, err2)
		}
		if err != nil {
			return
		}
		head := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		br := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(raw)))
		r, err := http.ReadRequest(br)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(theirs, whole) {
			t.Fatalf("net/http reads %q (%v), we %q\n%q", theirs, err, whole, raw)
		}
		left, _ := io.ReadAll(br)
		if !bytes.Equal(left, rest) {
			t.Fatalf("net/http leaves %q, we %q\n%q", left, rest, raw)
		}
		for _, fl := range trailer {
			if !slices.Contains(r.Trailer[http.CanonicalHeaderKey(fl.Name)], fl.Value) {
				t.Fatalf("net/http does not see %q after the body: %v\n%q", fl, r.Trailer, raw)
			}
		}
	})
}

// chunked reads raw as a chunked body; step bytes come with each read.
func chunked(raw []byte, step int) (body_ []byte, trailer []wire.Field, rest []byte, err error) {
	conn := &scriptedConn{in: raw, step: step}
	b := &Body{Source: &Reader{Conn: conn}, Framing: Chunked}
	b.MaxTrailerBytes, b.MaxTrailerFields = 4096, 20
	body_, err = io.ReadAll(b)
	if err == nil && !b.Finish(0) {
		err = io.ErrUnexpectedEOF
	}
	return body_, b.Trailers(), append(append([]byte(nil), b.Source.Buffered()...), conn.in...), err
}

// scriptedConn is a connection that says what it was given, and then ends.
type scriptedConn struct {
	net.Conn
	in   []byte
	step int
	out  bytes.Buffer
}

func (s *scriptedConn) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *scriptedConn) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (s *scriptedConn) SetWriteDeadline(time.Time) error { return nil }
func (s *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (s *scriptedConn) Close() error                     { return nil }

// FuzzAnswerHead: an answer's head that we accept, net/http reads in the same
// way: the same status, the same framing, the same fields.
func FuzzAnswerHead(f *testing.F) {
	f.Add("200 OK", "Content-Length", "3", "Set-Cookie", "a=b; Path=/")
	f.Add("304", "ETag", "x", "Connection", "close, ETag")
	f.Add("206 Partial Content", "Transfer-Encoding", "chunked", "Content-Length", "3")
	f.Add("200 \xff", "Transfer-Encoding", "gzip, chunked", "X", "\t y")
	f.Fuzz(func(t *testing.T, status, n1, v1, n2, v2 string) {
		s := "HTTP/1.1 " + status + "\r\n" + n1 + ": " + v1 + "\r\n" + n2 + ": " + v2 + "\r\n\r\n"
		var m ResponseHead
		if ParseResponseHead(s, &m, 20) != nil || m.Status < 200 || !StatusAllowsBody(m.Status) {
			return
		}
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(s)), nil)
		if err != nil {
			t.Fatalf("net/http refuses what we accept: %v\n%q", err, s)
		}
		if r.StatusCode != m.Status || m.Chunked != slices.Equal(r.TransferEncoding, []string{"chunked"}) || !m.Chunked && r.ContentLength != m.Length {
			t.Fatalf("net/http reads %d, %d bytes %v; we %d, %d bytes\n%q", r.StatusCode, r.ContentLength, r.TransferEncoding, m.Status, m.Length, s)
		}
		for _, fl := range m.Fields {
			if !slices.Contains(r.Header[http.CanonicalHeaderKey(fl.Name)], fl.Value) {
				t.Fatalf("net/http does not see %q: %v\n%q", fl, r.Header, s)
			}
		}
	})
}
