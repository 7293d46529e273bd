package h1

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// FuzzResponseHead shows that net/http reads a response head that we accept in the
// same way: the same status, the same framing, the same fields.
func FuzzResponseHead(f *testing.F) {
	f.Add("200 OK", "Content-Length", "3", "Set-Cookie", "a=b; Path=/")
	f.Add("304", "ETag", "x", "Connection", "close, ETag")
	f.Add("206 Partial Content", "Transfer-Encoding", "chunked", "Content-Length", "3")
	f.Add("200 \xff", "Transfer-Encoding", "gzip, chunked", "X", "\t y")
	f.Fuzz(func(t *testing.T, status, name1, value1, name2, value2 string) {
		head := "HTTP/1.1 " + status + "\r\n" + name1 + ": " + value1 + "\r\n" + name2 + ": " + value2 + "\r\n\r\n"
		var m ResponseHead
		if ParseResponseHead(head, &m, 20) != nil || !StatusAllowsBody(m.Status) {
			return
		}

		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
		if err != nil {
			t.Fatalf("net/http refuses what we accept: %v\n%q", err, head)
		}
		chunked := slices.Equal(r.TransferEncoding, []string{"chunked"})
		if r.StatusCode != m.Status || m.Chunked != chunked || !m.Chunked && r.ContentLength != m.Length {
			t.Fatalf("net/http reads %d, %d bytes %v; we read %d, %d bytes\n%q",
				r.StatusCode, r.ContentLength, r.TransferEncoding, m.Status, m.Length, head)
		}
		for _, field := range m.Fields {
			if !slices.Contains(r.Header[http.CanonicalHeaderKey(field.Name)], field.Value) {
				t.Fatalf("net/http does not see %q: %v\n%q", field, r.Header, head)
			}
		}
	})
}
