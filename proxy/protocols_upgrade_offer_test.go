package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestAnOfferOfHTTP2InTheClearIsNotTaken: curl and Java offer it for http URLs. The request
// is served as it is (RFC 9110 section 7.8), and nothing of the offer reaches the application.
func TestAnOfferOfHTTP2InTheClearIsNotTaken(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q %q %q", text, r.Header["Upgrade"], r.Header["Http2-Settings"], r.Header["Connection"])
	}
	p := newProtocolTest(t, "h1", "h1", handler, protocolOptions{})
	const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"

	for name, open := range map[string]func() (net.Conn, string){
		"in a tunnel": func() (net.Conn, string) { return p.openTLS(), "/up" },
		"in absolute form": func() (net.Conn, string) {
			conn, err := net.Dial("tcp", p.proxy.Host)
			if err != nil {
				t.Fatal(err)
			}
			return conn, "http://example.com/up"
		},
	} {
		conn, target := open()
		defer conn.Close()
		credentials := ""
		if strings.Contains(target, "://") {
			credentials = "Proxy-Authorization: " + p.proxyAuthorization() + "\r\n"
		}
		for _, body := range []string{"", "abc"} {
			method := "GET"
			if body != "" {
				method = "POST"
			}
			fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: example.com\r\n%s%sContent-Length: %d\r\n\r\n%s", method, target, credentials, offer, len(body), body)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%s %s: %v", name, method, err)
			}
			got, _ := io.ReadAll(resp.Body)
			if want := body + " [] [] []"; resp.StatusCode != http.StatusOK || string(got) != want {
				t.Errorf("%s %s: got %d %q, want 200 %q", name, method, resp.StatusCode, got, want)
			}
		}
	}
}

// TestDigestsMayFollowTheBody: what is known when the body is over comes in a trailer (RFC 9530
// section 2). Other content fields must not.
func TestDigestsMayFollowTheBody(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Trailer.Get("Content-Digest"), r.Trailer.Get("Content-Md5"), r.Trailer.Get("Repr-Digest"))
	}
	p := newProtocolTest(t, "h1", "h1", handler, protocolOptions{})
	for _, c := range []struct {
		name   string
		status int
	}{{"Content-Digest", 200}, {"Content-MD5", 200}, {"Repr-Digest", 200}, {"Content-Type", 400}, {"Content-Length", 400}, {"Content-Encoding", 400}} {
		conn := p.openTLS()
		defer conn.Close()
		fmt.Fprintf(conn, "POST /up HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n3\r\nabc\r\n0\r\n%s: sha-256=:x:\r\n\r\n", c.name, c.name)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || c.status == 200 && string(got) != "sha-256=:x:" {
			t.Errorf("a trailer %s: got %d %q, want %d and the trailer at the application", c.name, resp.StatusCode, got, c.status)
		}
	}
}
