package h1

import (
	"bufio"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/wire"
)

// requestHeads are seeds: heads that are accepted, and heads that nearly are.
var requestHeads = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /a%20b?c=%zz HTTP/1.1\r\nHost: A.example:8080\r\nContent-Length: 3\r\nCookie: a=b; c=d\r\ncookie: e\r\n\r\n",
	"PUT /x HTTP/1.1\r\nHost: [::1]:443\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nExpect: 100-continue\r\n\r\n",
	"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
	"GET /x HTTP/1.0\r\nConnection: X-Drop, close\r\nX-Drop: 1\r\nX-Keep: \xe9\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a.\r\nTE: trailers\r\n\r\n",
	"GET http://a.example/x HTTP/1.1\r\nHost: a.example:80\r\nProxy-Authorization: Basic eA==\r\n\r\n",
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\n",
	"GET /\x00 HTTP/1.1\r\nHost : a\r\n\r\n",
}

// FuzzRequestHead shows that net/http reads a head that ParseRequestHead accepts in
// the same way, both as it was received and as it is sent on.
func FuzzRequestHead(f *testing.F) {
	for _, h := range requestHeads {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, head string) {
		for _, allowed := range []TargetForms{0, AbsoluteForm | AuthorityForm} {
			checkRequestHead(t, head, allowed)
		}
	})
}

// FuzzRequestFields is FuzzRequestHead with the lines of the head in their places,
// which a fuzzer seldom keeps.
func FuzzRequestFields(f *testing.F) {
	f.Add("GET", "/", "a", "Cookie", "a=b", "Connection", "x, y")
	f.Add("POST", "/a?b", "A:80", "Content-Length", "3", "Upgrade", "websocket")
	f.Add("PUT", "http://a/%2f", "[::1]", "Transfer-Encoding", "chunked", "Trailer", "X-Sum")
	f.Fuzz(func(t *testing.T, method, target, host, name1, value1, name2, value2 string) {
		head := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" +
			name1 + ": " + value1 + "\r\n" + name2 + ": " + value2 + "\r\n\r\n"
		for _, allowed := range []TargetForms{0, AbsoluteForm | AuthorityForm} {
			checkRequestHead(t, head, allowed)
		}
	})
}

// checkRequestHead parses head, compares the result with net/http's, writes it,
// parses what was written and compares again.
func checkRequestHead(t *testing.T, head string, allowed TargetForms) {
	var received RequestHead
	if ParseRequestHead(head, &received, allowed, 50) != nil {
		return
	}
	compareWithNetHTTP(t, head, &received)
	if received.Method == http.MethodConnect || received.Authority == "" { // the pipeline refuses HTTP/1.0 without Host
		return
	}

	out := wire.Request{Head: received.Head}
	if received.Length != 0 {
		out.Body = strings.NewReader("")
	}
	if err := CheckRequest(&out); err != nil {
		t.Fatalf("accepted from an agent and refused to the application: %v\n%q", err, head)
	}
	written, err := AppendRequestHead(nil, received.Authority, &out)
	if err != nil {
		t.Fatalf("accepted from an agent and not written: %v\n%q", err, head)
	}

	var reread RequestHead
	if bad := ParseRequestHead(string(written), &reread, 0, 60); bad != nil {
		t.Fatalf("we refuse what we wrote: %s\n%q", bad.Detail, written)
	}
	compareWithNetHTTP(t, string(written), &reread)
	if reread.Method != received.Method || reread.Path != received.Path || reread.Query != received.Query ||
		reread.Authority != received.Authority || reread.Length != received.Length || reread.Upgrade != received.Upgrade ||
		!slices.Equal(reread.Fields, received.Fields) {
		t.Fatalf("received %+v\nwritten %+v", received.Head, reread.Head)
	}
}

// compareWithNetHTTP compares m with what net/http reads from head.
func compareWithNetHTTP(t *testing.T, head string, m *RequestHead) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		t.Fatalf("net/http refuses what we accept: %v\n%q", err, head)
	}

	target := expectedRequestURI(m, r.RequestURI)
	chunked := slices.Equal(r.TransferEncoding, []string{"chunked"})
	if r.Method != m.Method || r.RequestURI != target || !SameAuthority(strings.ToLower(r.Host), m.Authority, "http") ||
		r.ContentLength != m.Length || m.Chunked != chunked {
		t.Fatalf("net/http reads %s %s at %s, %d bytes %v; we read %s %s at %s, %d bytes\n%q",
			r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding, m.Method, target, m.Authority, m.Length, head)
	}

	ours := map[string][]string{}
	for _, f := range m.Fields {
		key := http.CanonicalHeaderKey(f.Name)
		ours[key] = append(ours[key], f.Value)
	}
	for name, values := range r.Header {
		role := RoleOf(name)
		if role != RoleEndToEnd && role != RoleContentType || isListed(m.connection, name) {
			continue
		}
		if name == "Cache-Control" && len(ours[name]) == 0 && len(ours["Pragma"]) > 0 {
			continue // net/http adds it
		}
		if !slices.Equal(values, ours[name]) {
			t.Fatalf("net/http reads %s: %q, we read %q\n%q", name, values, ours[name], head)
		}
		delete(ours, name)
	}
	if len(ours) > 0 {
		t.Fatalf("net/http does not see %q\n%q", ours, head)
	}
}

// expectedRequestURI returns the RequestURI that net/http must have for m. If it is
// an absolute URL, the scheme and the authority are taken from received.
func expectedRequestURI(m *RequestHead, received string) string {
	if m.Method == http.MethodConnect {
		return received
	}

	target := m.Path
	if m.HasQuery {
		target += "?" + m.Query
	}
	u, err := url.Parse(received)
	if err != nil || !u.IsAbs() {
		return target
	}
	_, rest, _ := strings.Cut(received, "://")
	prefix := received[:len(received)-len(rest)+len(u.Host)]
	if !strings.HasPrefix(rest[len(u.Host):], "/") {
		target = strings.TrimPrefix(target, "/") // an absolute target may leave out the slash
	}
	return prefix + target
}

func isListed(list, name string) bool {
	listed := false
	EachListMember(list, func(member string) bool {
		listed = listed || strings.EqualFold(member, name)
		return !listed
	})
	return listed
}
