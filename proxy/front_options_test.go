package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestI7OptionsForTheProxyItselfNeedsATask sends OPTIONS *, which net/http answers
// before any handler unless it is told not to.
func TestI7OptionsForTheProxyItselfNeedsATask(t *testing.T) {
	p := newProtocolTest(t, "h1", "h1", func(http.ResponseWriter, *http.Request) {}, protocolOptions{})
	credentials := "Proxy-Authorization: " + p.proxyAuthorization() + "\r\n"

	for _, c := range []struct {
		name, credentials string
		status            int
		code              Code
	}{
		{"without a task", "", http.StatusProxyAuthRequired, AuthRequired},
		{"with a wrong token", "Proxy-Authorization: Bearer blt_x\r\n", http.StatusProxyAuthRequired, AuthRequired},
		{"with a task", credentials, http.StatusBadRequest, AmbiguousRequest},
	} {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(conn, "OPTIONS * HTTP/1.1\r\nHost: %s\r\n%s\r\n", p.addr, c.credentials)

		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || !hasCode(string(body), c.code) {
			t.Errorf("OPTIONS * %s: got %d %s, want %d %s", c.name, resp.StatusCode, body, c.status, c.code)
		}
	}
}
