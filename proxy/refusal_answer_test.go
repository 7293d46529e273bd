package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"
)

// TestARefusedTunnelSaysWhy reads what clients print of the answer to a CONNECT.
func TestARefusedTunnelSaysWhy(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	conn := s.dial("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\nProxy-Authorization: Bearer " + s.token.Reveal() + "\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "403 host_not_adapted: no adapter names other.example:443"
	if !strings.HasPrefix(resp.Status, want) {
		t.Errorf("the status line says %q, want %q", resp.Status, want)
	}

	item, err := httpsfv.UnmarshalItem(resp.Header["Proxy-Status"])
	if err != nil || item.Value != httpsfv.Token("byline") {
		t.Fatalf("Proxy-Status is %q: %v, %v", resp.Header["Proxy-Status"], item.Value, err)
	}
	details, _ := item.Params.Get("details")
	kind, _ := item.Params.Get("error")
	if kind != httpsfv.Token("http_request_denied") || !strings.HasPrefix(fmt.Sprint(details), "host_not_adapted: ") {
		t.Errorf("Proxy-Status has error %v and details %q", kind, details)
	}
}

// TestADemandForCredentialsKeepsTheConnection answers 407 as .NET and Java need it: they
// send the credentials over the same connection.
func TestADemandForCredentialsKeepsTheConnection(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	conn := s.dial("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	r := bufio.NewReader(conn)
	for range 2 {
		resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
		if err != nil || resp.StatusCode != http.StatusProxyAuthRequired || resp.Close {
			t.Fatalf("got %+v, error %v; want 407 and the connection kept", resp, err)
		}
		if _, err := io.CopyN(io.Discard, r, resp.ContentLength); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Bearer wrong\r\n\r\n")
	}
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusProxyAuthRequired {
		t.Fatalf("got %+v, error %v; want 407", resp, err)
	}

	conn = s.dial("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
	r = bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.CopyN(io.Discard, r, resp.ContentLength)
	fmt.Fprintf(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nProxy-Authorization: Bearer %s\r\n\r\n", s.token.Reveal())
	expect(t, conn, connectionEstablished)
	if status := s.get(conn, true, "example.com"); status != http.StatusOK {
		t.Errorf("after the credentials: got %d, want 200", status)
	}
}

// TestHTTPSInAbsoluteFormIsCarried asks for an https page as axios does through a proxy.
func TestHTTPSInAbsoluteFormIsCarried(t *testing.T) {
	s := newArrivalTest(t, pagesSpec, nil)
	for target, want := range map[string]int{"https://example.com/page/1": 200, "https://example.com:443/page/1": 200, "https://other.example/": 403} {
		conn := s.dial("GET " + target + " HTTP/1.1\r\nHost: " + strings.Split(target, "/")[2] + "\r\nProxy-Authorization: Bearer " + s.token.Reveal() + "\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: got %+v, error %v; want %d", target, resp, err, want)
		}
	}
}

func TestABrowserGetsAPage(t *testing.T) {
	for accept, want := range map[string]bool{
		"":    false,
		"*/*": false,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8": true, // Firefox, Chromium
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2":                                  true, // Java
		"application/json, text/plain, */*":                                                     false,
		"application/json, text/html":                                                           false,
		"text/html;q=0, */*":                                                                    false,
		"text/event-stream":                                                                     false,
	} {
		if got := prefersPage(accept); got != want {
			t.Errorf("Accept: %s: got %v, want %v", accept, got, want)
		}
	}

	r := refuse(HostNotAdapted, "no adapter names <script>alert(1)</script>.")
	page := string(r.body(true, "r_1"))
	if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "byline audit show r_1") {
		t.Errorf("the page is not what it should be:\n%s", page)
	}
	if path := os.Getenv("BYLINE_WRITE_PAGE"); path != "" {
		_ = os.WriteFile(path, refuse(OutOfScope, "the scope covers page.read and page.edit of wiki, and this is user.delete on user/Bob. The sponsor (alice@acme.example) can approve more.").body(true, "r_01m8r05anw7ganje96fdx5a75f"), 0o600)
	}
}
