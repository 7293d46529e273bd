package proxy

import (
	"strings"
	"testing"
)

// TestI10LimitsOfHead checks that a head beyond a limit has the same answer over
// every kind of connection.
func TestI10LimitsOfHead(t *testing.T) {
	const begin = "GET /page/1 HTTP/1.1\r\nHost: example.com\r\n"
	tooLarge := verdict{431, "too_large"}
	h := startHostileServer(t, shortTimeouts())
	for _, c := range []struct{ name, raw string }{
		{"one field of 9 KiB", begin + "X: " + strings.Repeat("y", 9<<10) + "\r\n\r\n"},
		{"many fields with 9 KiB", begin + strings.Repeat("X-Name: "+strings.Repeat("y", 300)+"\r\n", 30) + "\r\n"},
		{"50 fields", begin + strings.Repeat("X: y\r\n", 50) + "\r\n"},
		{"a target of 9 KiB", "GET /page/" + strings.Repeat("y", 9<<10) + " HTTP/1.1\r\nHost: example.com\r\n\r\n"},
		{"a cookie of 9 KiB", begin + "Cookie: sid=" + strings.Repeat("y", 9<<10) + "\r\n\r\n"},
		{"a head of 60 KiB", begin + "X: " + strings.Repeat("y", 60<<10) + "\r\n\r\n"},
	} {
		for _, kind := range []string{"tls", "plain", "front", "h2"} {
			t.Run(c.name+"/"+kind, func(t *testing.T) { h.checkOnce(t, kind, c.raw, tooLarge) })
		}
	}
	h.checkWorks(t)
}
