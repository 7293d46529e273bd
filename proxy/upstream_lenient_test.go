package proxy

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestAnswersThatARecipientMustTake sends answers that RFC 9110 and RFC 9112 make every
// recipient understand, whole and byte by byte.
func TestAnswersThatARecipientMustTake(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
	answers := map[string]struct {
		raw, body string
		status    int
	}{
		"/page/1": {"HTTP/1.1 903 Custom\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok", "ok", 903},
		"/page/2": {"HTTP/1.1 999 Denied\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok", "ok", 999},
		"/page/3": {"HTTP/1.1 600\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok", "ok", 600},
		"/page/4": {chunked + "5;foo=bar\r\nhello\r\n0;last\r\n\r\n", "hello", 200},
		"/page/5": {chunked + "2 ; a = \"b;c\"\r\nhe\r\n3;\t;x\r\nllo\r\n0\r\n\r\n", "hello", 200},
		"/page/6": {chunked + "5;caf\xc3\xa9\r\nhello\r\n000\r\n\r\n", "hello", 200},
	}

	origin := newRecordingOrigin(t)
	origin.faults = map[string]func(net.Conn){}
	for path, a := range answers {
		origin.faults[path] = func(c net.Conn) { io.WriteString(c, a.raw) }
		origin.faults[path+"00"] = func(c net.Conn) {
			for i := range len(a.raw) {
				io.WriteString(c, a.raw[i:i+1])
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	h := startServerFor(t, origin, shortTimeouts())
	for path, a := range answers {
		for _, p := range []string{path, path + "00"} {
			for _, kind := range []string{"tls", "h2"} {
				got, brokenOff := h.sendOnce(t, kind, "GET "+p+" HTTP/1.1\r\nHost: example.com\r\n\r\n")
				if got.status != a.status || got.body != a.body || brokenOff {
					t.Errorf("%s over %s: got %d %q, broken off %v; want %d %q", p, kind, got.status, got.body, brokenOff, a.status, a.body)
				}
			}
		}
	}
}
